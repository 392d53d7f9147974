"""The node as the author of what it makes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """The node that writes the report: TID 1004 and the General Equipment Module (PS3.3 C.7.5.1).

    ``uid`` is the device observer UID. It must stay the same for the life of the node, since it
    tells our own reports from those of others.
    """

    uid: str
    ae_title: str
    software_version: str
    manufacturer: str = "Likeness project"
    model_name: str = "Likeness"

"""The statuses that this node answers and those that it is answered, and what each leads to."""

from typing import NamedTuple

from dicom_node import storing
from dicom_node.upper_layer import association


class Status(NamedTuple):
    """A row of a table of statuses.

    Attributes:
        code: of Status (0000,0900).
        service: its name in the standard.
        clause: where the standard names it.
        behaviour: what it means here, and what the sender should do.
    """

    code: int
    service: str
    clause: str
    behaviour: str


ANSWERED: tuple[Status, ...] = (
    Status(
        storing.SUCCESS,
        "Success",
        "PS3.4 B.2.3",
        "The instance is durable: written to a file, synced, renamed into the spool, and the "
        "spool's folder synced. An identical duplicate is answered so too, and changes nothing; "
        "another data set under a known SOP Instance UID takes the place of the old one.",
    ),
    Status(
        storing.PROCESSING_FAILURE,
        "Processing failure",
        "PS3.7 Annex C",
        "A fault of this node, whose traceback is in its log. The instance is not kept.",
    ),
    Status(
        storing.SOP_CLASS_NOT_SUPPORTED,
        "Refused: SOP Class not supported",
        "PS3.7 Annex C",
        "The request names a SOP class that was not accepted as an image storage class, whatever "
        "context it came in. The instance is not kept.",
    ),
    Status(
        association.UNRECOGNIZED_OPERATION,
        "Unrecognized operation",
        "PS3.7 Annex C",
        "The message is none of those that this statement lists for its SOP class.",
    ),
    Status(
        association.MISTYPED_ARGUMENT,
        "Mistyped argument",
        "PS3.7 Annex C",
        "A C-STORE request that no data set follows.",
    ),
    Status(
        storing.OUT_OF_RESOURCES,
        "Refused: Out of resources",
        "PS3.4 B.2.3",
        "The disk is full or cannot be written, or the node is under pressure (see the "
        "parameters of `pressure`). The instance is not kept; it should be sent again later.",
    ),
    Status(
        storing.NOT_OF_ITS_SOP_CLASS,
        "Error: Data set does not match SOP Class",
        "PS3.4 B.2.3",
        "SOP Class or SOP Instance UID of the data set are not those of the request. The "
        "instance is not kept.",
    ),
    Status(
        storing.CANNOT_UNDERSTAND,
        "Error: Cannot understand",
        "PS3.4 B.2.3",
        "The data set cannot be read as far as its Series Instance UID, lacks one of the SOP "
        "Class, SOP Instance, Study and Series Instance UIDs, or is longer than "
        "`dicom.max_instance_mb`. One that cannot be read is set aside in the quarantine with "
        "the reason; one that is too long is not kept.",
    ),
)
"""What our SCP may answer to C-STORE."""


def written(code: int) -> str:
    """A status as tables have it: four hexadecimal digits."""
    return f"{code:04X}"

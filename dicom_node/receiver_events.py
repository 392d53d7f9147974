"""What the receiving process tells the rest of the node, in the order in which it happened."""

from collections.abc import Callable
from typing import NamedTuple

from dicom_node.event_information import CommitmentResult


class AssociationAccepted(NamedTuple):
    """An association was established."""

    association: int
    calling_ae: str
    address: str


class AssociationEnded(NamedTuple):
    """An association ended, or a connection that never became one; ``outcome`` as below."""

    association: int
    outcome: str


class InstanceAnswered(NamedTuple):
    """A C-STORE was answered; ``spool_name`` is where the instance lies if that was Success."""

    association: int
    status: int
    size_bytes: int
    study_instance_uid: str | None
    spool_name: str | None


class CommitmentReported(NamedTuple):
    """A peer reported on a storage commitment, and gets Success for that."""

    association: int
    calling_ae: str
    result: CommitmentResult


Event = AssociationAccepted | AssociationEnded | InstanceAnswered | CommitmentReported
Tell = Callable[[Event], None]
"""Takes one event; called from many threads, and before the response is sent."""

OUTCOMES = ("released", "aborted", "rejected", "broken", "timed out")
"""Of an association: how it can end."""

"""What the final response to a C-GET or C-MOVE says (PS3.4 C.4.2.1.5, C.4.3.1.4)."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dicom_node.report.codes import fit
from dicom_node.retrieving.retriever import RetrieveError, RetrieverAwayError

SUCCESS, WARNING = 0x0000, 0xB000
NOT_SENT = 0xA702
"""By its name out of resources; archives answer it where no context suits an instance, too."""
PENDING = frozenset({0xFF00, 0xFF01})

_FOR_ALL = MappingProxyType(
    {
        0x0122: "it does not offer this service",
        0x0124: "it does not allow us to",
        0x0211: "it does not offer this service",
        0xA701: "it is out of resources",
        0xA801: "it does not know our AE title as a move destination; enter it there, with this "
        "node's address and port",
    }
)
"""Failures that are none of the instance's (PS3.7 annex C, PS3.4 C.4.2.1.5)."""


@dataclass(frozen=True)
class Outcome:
    """Status and sub-operations of the final response; a number is None where it gives none."""

    status: int
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    comment: str = ""

    @property
    def may_have_sent(self) -> bool:
        """Whether an instance may have been sent, for all that the response says."""
        if self.status not in (SUCCESS, WARNING):
            return False
        return self.completed is None or bool(self.completed or self.warning)

    def why(self, who: str) -> RetrieveError:
        """What an outcome without an instance means."""
        said = f"answered 0x{self.status:04X} {self.comment}".rstrip()
        if self.status in _FOR_ALL:
            return RetrieverAwayError(f"{who}: {_FOR_ALL[self.status]} ({said})")
        if self.failed or self.status == NOT_SENT:
            return RetrieveError(f"{who}: has it and could not send it ({said})")
        if self.status in (SUCCESS, WARNING):
            return RetrieveError(f"{who}: does not have it")
        return RetrieveError(f"{who}: does not have it, or does not give it ({said})")


def outcome_of(response: Any) -> Outcome:
    """The outcome in a response, a pynetdicom primitive."""
    return Outcome(
        status=response.Status,
        completed=response.NumberOfCompletedSuboperations,
        failed=response.NumberOfFailedSuboperations,
        warning=response.NumberOfWarningSuboperations,
        # the network's text: one line without control characters
        comment=fit(str(response.ErrorComment or "")),
    )

"""A peer's report on a storage commitment, judged: what it says, and the status that it gets."""

import logging
from collections.abc import Callable

from dicom_node.event_information import CommitmentResult, MalformedError, read_result
from dicom_node.sop_classes import STORAGE_COMMITMENT
from dicom_node.upper_layer.association import Answer, EventReport

log = logging.getLogger(__name__)

WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The one SOP instance of Storage Commitment Push Model (PS3.4 J.3.5)."""

ALL_COMMITTED, FAILURES_EXIST = 1, 2
"""Event types (PS3.4 table J.3-2)."""

LONGEST = 1 << 16
"""The most bytes of event information that are read; a report on two instances has some 400."""

SUCCESS = 0x0000
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
NO_SUCH_SOP_CLASS = 0x0118
RESOURCE_LIMITATION = 0x0213

REPORT_STATUSES: dict[int, str] = {
    SUCCESS: "The report was read. Also where its transaction is unknown or no longer awaited: "
    "it was delivered, and what follows from it is ours (PS3.4 J.3.3.1.3).",
    NO_SUCH_SOP_INSTANCE: f"It is about another SOP instance than {WELL_KNOWN_INSTANCE}.",
    NO_SUCH_EVENT_TYPE: "Its event type is neither 1 nor 2.",
    INVALID_ARGUMENT_VALUE: "Its event information is missing, malformed, or lacks a Transaction "
    "UID or the SOP Instance UID of an item.",
    NO_SUCH_SOP_CLASS: f"It is about another SOP class than {STORAGE_COMMITMENT}.",
    RESOURCE_LIMITATION: f"Its event information has more than {LONGEST} bytes.",
}
"""What we may answer to N-EVENT-REPORT (PS3.7 10.1.1.1.8; PS3.4 J.3.3.1.4 adds none), and when."""


def judge(request: EventReport, data: bytes) -> tuple[Answer, CommitmentResult | None]:
    """The answer to a report and, if that is Success, what it says."""
    if request.sop_class_uid != STORAGE_COMMITMENT:
        return Answer(NO_SUCH_SOP_CLASS), None
    if request.sop_instance_uid != WELL_KNOWN_INSTANCE:
        return Answer(NO_SUCH_SOP_INSTANCE), None
    if request.event_type not in (ALL_COMMITTED, FAILURES_EXIST):
        return Answer(NO_SUCH_EVENT_TYPE), None
    if len(data) > LONGEST:
        return Answer(RESOURCE_LIMITATION, f"more than {LONGEST} bytes"), None
    try:
        return Answer(SUCCESS), read_result(data, request.transfer_syntax)
    except MalformedError as fault:
        return Answer(INVALID_ARGUMENT_VALUE, str(fault)), None


class IncomingReport:
    """Takes one report in (an ``upper_layer.association.Sink``).

    Args:
        request: what the N-EVENT-REPORT-RQ says of it.
        calling_ae: who sends it.
        reported: hears what it says, before it is answered.
    """

    def __init__(
        self, request: EventReport, calling_ae: str, reported: Callable[[CommitmentResult], None]
    ) -> None:
        self._request = request
        self._calling_ae = calling_ae
        self._reported = reported
        self._data = bytearray()

    def write(self, piece: bytes) -> None:
        """Takes the next piece of the data set, as far as it will be read."""
        self._data += piece[: LONGEST + 1 - len(self._data)]

    def finish(self) -> Answer:
        """Judges the whole report, and says what to answer: one of ``REPORT_STATUSES``."""
        answer, result = judge(self._request, bytes(self._data))
        if result is None:
            log.warning(
                "storage commitment report from %r answered 0x%04X: %s",
                *(self._calling_ae, answer.status, answer.comment or "it is not for us"),
            )
        else:
            self._reported(result)
        return answer

    def discard(self) -> None:
        """The rest will not come: the peer has to report again, or is asked again."""

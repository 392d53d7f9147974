"""One instance on its way from the network into the spool, and the status that it gets.

Success is answered only when the bytes are durable. Statuses are those of PS3.4 B.2.3.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.instance_uids import UnidentifiedError, read_instance_uids
from dicom_node.receiver_events import InstanceAnswered, Tell
from dicom_node.spool import Spool, SpoolFile, file_meta
from dicom_node.upper_layer.association import Answer, StoreRequest

log = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
NOT_OF_ITS_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
SOP_CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 9.1.1.1.9
PROCESSING_FAILURE = 0x0110  # PS3.7 Annex C, where none of PS3.4's own fits

PlaceFor = Callable[[StoreRequest], Path | None]
"""Where a SOP instance is to be put that we asked a peer to send; None for any other."""


@dataclass(frozen=True)
class Sender:
    """Who sends, over which association."""

    association: int
    calling_ae: str


class IncomingInstance:
    """Takes one instance in (an ``upper_layer.association.Sink``).

    Args:
        request: what the C-STORE-RQ says of it.
        sender: who sends it.
        spool: where it goes.
        longest: the most bytes that its data set may have.
        tell: hears of the answer before it is sent.
        refused: the answer that it gets whatever comes, if that is settled already.
        place_for: whether we asked for it ourselves (``dicom_node.retrieving.awaited``).
    """

    def __init__(
        self,
        request: StoreRequest,
        sender: Sender,
        spool: Spool,
        *,
        longest: float,
        tell: Tell,
        refused: Answer | None = None,
        place_for: PlaceFor = lambda _: None,
    ) -> None:
        self._request = request
        self._sender = sender
        self._spool = spool
        self._longest = longest
        self._tell = tell
        self._refused = refused
        self._place_for = place_for
        self._file: SpoolFile | None = None
        self._size = 0
        if refused is None:
            self._open()

    def _open(self) -> None:
        request = self._request
        head = file_meta(
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=request.transfer_syntax,
            calling_ae=self._sender.calling_ae,
        )
        try:
            self._file = self._spool.begin(head)
        except OSError as fault:
            self._refused = self._no_room(fault)

    def write(self, piece: bytes) -> None:
        """Takes the next piece of the data set; once it is refused, only counts it."""
        self._size += len(piece)
        if self._file is None:
            return
        if self._size > self._longest:
            self._refuse(Answer(CANNOT_UNDERSTAND, "larger than dicom.max_instance_mb"))
            log.warning("refused %s: larger than dicom.max_instance_mb", self._named)
            return
        try:
            self._file.write(piece)
        except OSError as fault:
            self._refuse(self._no_room(fault))

    def finish(self) -> Answer:
        """Judges the whole data set, keeps it durably, and says what to answer.

        0x0000: durable in the spool. 0xA700: cannot be written; the sender should try again.
        0xA900: the data set is another SOP class or instance than the request says. 0xC000: it
        cannot be read; the bytes are kept in quarantine with the reason.
        """
        try:
            answer, study, name = self._judged()
        except OSError as fault:
            answer, study, name = self._no_room(fault), None, None
        except Exception:  # boundary: whatever goes wrong, the sender gets a failure status
            log.exception("C-STORE of %s failed", self._named)
            answer, study, name = Answer(PROCESSING_FAILURE), None, None
        if name is None:
            self.discard()
        self._tell(
            InstanceAnswered(self._sender.association, answer.status, self._size, study, name)
        )
        return answer

    def _judged(self) -> tuple[Answer, str | None, str | None]:
        """The answer and, for Success, the study and the name in the spool, if it is kept."""
        if self._refused is not None or self._file is None:
            return self._refused or Answer(PROCESSING_FAILURE), None, None
        request = self._request
        try:
            with self._file.data_set() as (data, start):
                uids = read_instance_uids(data, start, request.transfer_syntax)
        except UnidentifiedError as fault:
            log.warning("quarantined %s: %s", self._file.quarantine(str(fault)), fault)
            return Answer(CANNOT_UNDERSTAND, str(fault)), None, None
        if uids[:2] != (request.sop_class_uid, request.sop_instance_uid):
            log.warning("refused %s: the data set says %s", self._named, uids)
            return Answer(NOT_OF_ITS_SOP_CLASS, "the data set names another instance"), None, None
        return Answer(SUCCESS), uids.study, self._kept(self._file)

    def _kept(self, file: SpoolFile) -> str | None:
        """Its name in the spool; None for an instance that went to whoever had asked for it.

        Who asked is told by the request, which need not say so (PS3.7 table 9.1-1): where it does
        not, the instance may have been sent for its own sake, and is spooled as well.
        """
        place = self._place_for(self._request)
        if place is None:
            return file.keep()
        if self._request.move_originator:
            file.hand_over(place)
            return None
        name = file.keep()
        with suppress(OSError):
            place.hardlink_to(self._spool.path(name))
        return name

    def discard(self) -> None:
        """The rest will not come, or is not wanted."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _refuse(self, answer: Answer) -> None:
        self._refused = answer
        self.discard()

    def _no_room(self, fault: OSError) -> Answer:
        log.error("cannot write to the spool %s: %s", self._spool.folder, fault.strerror)
        return Answer(OUT_OF_RESOURCES, f"cannot write to the spool: {fault.strerror}")

    @property
    def _named(self) -> str:
        return f"{self._request.sop_instance_uid!r} from {self._sender.calling_ae!r}"

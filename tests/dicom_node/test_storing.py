"""One instance from its first fragment to its status, without a network."""

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, CTImageStorage

from dicom_node.receiver_events import Event, InstanceAnswered
from dicom_node.spool import Spool, SpoolFile, received_at
from dicom_node.storing import IncomingInstance, Sender
from dicom_node.upper_layer.association import Answer, StoreRequest
from tests.dicom_node.objects import INSTANCE, STUDY, encoded, radiograph
from tests.dicom_node.raw_peer import (
    CR,
    ECHO_CONTEXT,
    EXPLICIT,
    LAST_COMMAND,
    LAST_DATA,
    STORE_CONTEXT,
    VERIFICATION,
    associated,
    p_data,
    pdv,
    store_rq,
    uid_value,
)
from tests.dicom_node.receiving import receiving

DATA = encoded(radiograph())
REQUEST = StoreRequest(CR, INSTANCE, EXPLICIT)


class Store:
    """A spool, and what was told of it."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.told: list[Event] = []

    def incoming(
        self,
        request: StoreRequest = REQUEST,
        *,
        longest: float = 1e9,
        refused: Answer | None = None,
        calling_ae: str = "SENDER",
    ) -> IncomingInstance:
        return IncomingInstance(
            request,
            Sender(7, calling_ae),
            self.spool,
            longest=longest,
            tell=self.told.append,
            refused=refused,
        )

    def taken(self, data: bytes = DATA, *, piece: int = 1000) -> Answer:
        incoming = self.incoming()
        for start in range(0, len(data), piece):
            incoming.write(data[start : start + piece])
        return incoming.finish()

    def left(self) -> list[str]:
        """Every file of the spool and the quarantine but the kept ones."""
        files = [path for path in self.spool.folder.parent.rglob("*") if path.is_file()]
        kept = {self.spool.path(name) for name in self.spool.names()}
        return [path.name for path in files if path not in kept]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Spool(tmp_path))


@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_success_is_told_with_the_name_and_the_study(store: Store, piece: int) -> None:
    assert store.taken(piece=piece) == Answer(0x0000)
    (name,) = store.spool.names()
    assert store.told == [InstanceAnswered(7, 0x0000, len(DATA), STUDY, name)]
    assert store.spool.path(name).read_bytes().endswith(DATA)
    assert store.left() == []


def test_the_file_says_what_it_is_and_who_sent_it(store: Store) -> None:
    """PS3.10 7.1: (0002,0016) is the AE title of who wrote it here."""
    store.taken()
    (name,) = store.spool.names()
    read = dcmread(store.spool.path(name))
    meta = read.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CR, INSTANCE)
    assert (meta.TransferSyntaxUID, meta.SourceApplicationEntityTitle) == (EXPLICIT, "SENDER")
    assert read.StudyInstanceUID == STUDY


@pytest.mark.parametrize("calling", ["", "R\ufffdntgen", "A" * 16])
def test_any_calling_ae_title_is_written(store: Store, calling: str) -> None:
    incoming = store.incoming(calling_ae=calling)
    incoming.write(DATA)
    assert incoming.finish().status == 0x0000
    (name,) = store.spool.names()
    title = dcmread(store.spool.path(name)).file_meta.get("SourceApplicationEntityTitle", "")
    assert title == calling.replace("\ufffd", "?")


@pytest.mark.parametrize(
    "request_",
    [StoreRequest(CTImageStorage, INSTANCE, EXPLICIT), StoreRequest(CR, "1.2.3", EXPLICIT)],
    ids=["class", "instance"],
)
def test_another_instance_than_announced_is_refused(store: Store, request_: StoreRequest) -> None:
    """PS3.4 B.2.3: 0xA900."""
    incoming = store.incoming(request_)
    incoming.write(DATA)
    assert incoming.finish().status == 0xA900
    assert store.told == [InstanceAnswered(7, 0xA900, len(DATA), None, None)]
    assert (list(store.spool.names()), store.left()) == ([], [])


def test_what_cannot_be_read_is_quarantined_with_its_reason(store: Store) -> None:
    """PS3.4 B.2.3: 0xC000."""
    answer = store.taken(b"\xff" * 50)
    assert answer.status == 0xC000
    ((name, reason),) = store.spool.quarantined()
    assert (reason, name in store.left()) == (answer.comment, True)
    assert store.told == [InstanceAnswered(7, 0xC000, 50, None, None)]


def test_an_instance_may_be_as_large_as_the_settings_say(store: Store) -> None:
    incoming = store.incoming(longest=len(DATA))
    incoming.write(DATA)
    assert incoming.finish().status == 0x0000


def test_a_larger_one_is_refused_and_its_file_is_gone_at_once(store: Store) -> None:
    incoming = store.incoming(longest=len(DATA))
    incoming.write(DATA)
    incoming.write(b"\0")
    assert store.left() == []
    incoming.write(bytes(1000))
    assert incoming.finish().status == 0xC000
    assert store.told == [InstanceAnswered(7, 0xC000, len(DATA) + 1001, None, None)]


def test_what_is_refused_beforehand_is_only_counted(store: Store) -> None:
    incoming = store.incoming(refused=Answer(0xA700, "the disk is short"))
    incoming.write(DATA)
    assert store.left() == []
    assert incoming.finish() == Answer(0xA700, "the disk is short")
    assert store.told == [InstanceAnswered(7, 0xA700, len(DATA), None, None)]


def test_what_is_discarded_leaves_nothing_and_is_not_told(store: Store) -> None:
    incoming = store.incoming()
    incoming.write(DATA)
    incoming.discard()
    incoming.discard()
    assert (store.told, store.left()) == ([], [])


class _FaultySpool(Spool):
    """Fails when the file is written, kept, or nowhere."""

    def __init__(self, folder: Path, step: str) -> None:
        super().__init__(folder)
        self._step = step

    def begin(self, head: bytes) -> SpoolFile:
        if self._step == "begin":
            raise OSError(28, "No space left on device")
        return super().begin(head)

    def keep(self, written: Path) -> str:
        if self._step == "keep":
            raise OSError(5, "Input/output error")
        if self._step == "fault":
            raise ValueError("a fault of ours")
        return super().keep(written)


@pytest.mark.parametrize(
    ("step", "status"), [("begin", 0xA700), ("keep", 0xA700), ("fault", 0x0110)]
)
def test_a_failure_leaves_nothing_behind(tmp_path: Path, step: str, status: int) -> None:
    """PS3.4 B.2.3: 0xA700, out of resources; PS3.7 Annex C: 0x0110, processing failure."""
    store = Store(_FaultySpool(tmp_path, step))
    assert store.taken().status == status
    assert store.left() == []
    assert store.told == [InstanceAnswered(7, status, len(DATA), None, None)]


def test_a_disk_that_fails_in_mid_instance_is_answered(store: Store) -> None:
    """Neither the file nor its removal works then: a status, and no exception."""
    incoming = store.incoming()
    incoming.write(DATA)
    store.spool.aside.rename(store.spool.folder / "elsewhere")
    store.spool.aside.touch()
    assert incoming.finish().status == 0xA700
    assert list(store.spool.names()) == []


def test_names_are_unique_and_adopted_after_the_clock_was_set_back(store: Store) -> None:
    """The wall clock makes names readable; what keeps them apart is random."""
    for _ in range(3):
        store.taken()
    names = list(store.spool.names())
    stamp = names[0].rsplit("-", 1)[0]
    again = f"{stamp}-00000000.dcm"
    store.spool.path(names[2]).rename(store.spool.path(again))
    found = list(Spool(store.spool.folder.parent).names())
    assert sorted(found) == sorted([*names[:2], again])
    assert received_at(again) == received_at(names[0])


def test_a_day_of_another_century_is_adopted(store: Store) -> None:
    """As after a start without a battery for the clock."""
    store.taken()
    (name,) = store.spool.names()
    (store.spool.folder / "19700101").mkdir()
    old = "19700101/000000.000001-0123abcd.dcm"
    store.spool.path(name).rename(store.spool.path(old))
    assert list(store.spool.names()) == [old]
    assert received_at(old).year == 1970


def test_the_quarantines_note_says_when_it_came(store: Store) -> None:
    store.taken(b"")
    ((name, _),) = store.spool.quarantined()
    note = json.loads((store.spool.quarantine_folder / name).with_suffix(".json").read_text())
    assert note["received_at"].startswith(f"{name[:4]}-{name[4:6]}-{name[6:8]}T")


@pytest.mark.parametrize("context", [ECHO_CONTEXT, STORE_CONTEXT])
@pytest.mark.parametrize(
    ("sop_class", "expected"),
    [
        (CR, 0x0000),
        (str(CTImageStorage), 0x0000),
        (str(Comprehensive3DSRStorage), 0x0122),
        (VERIFICATION, 0x0122),
        ("1.2.3", 0x0122),
    ],
)
def test_a_class_that_is_not_taken_comes_in_over_no_context(
    tmp_path: Path, sop_class: str, expected: int, context: int
) -> None:
    """PS3.7 9.1.1.1.9: 0122H, SOP class not supported."""
    data = encoded(radiograph(SOPClassUID=sop_class))
    request = store_rq(INSTANCE, x0002=uid_value(sop_class))
    with receiving(tmp_path) as node, associated(node.port) as peer:
        peer.send(
            p_data(pdv(context, LAST_COMMAND, request)), p_data(pdv(context, LAST_DATA, data))
        )
        assert peer.statuses(1) == [expected]
        peer.release()
        assert len(node.names()) == (expected == 0x0000)

"""C-GET from peers that refuse, break off, lie or fall silent; each with a clear reason."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicom_node.part10 import data_set_start
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.retriever import (
    RetrieveError,
    Retriever,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.settings import DicomSettings, EncoderSettings, Settings, TlsSettings
from dicom_node.sop_classes import GET_MODEL, MOVE_MODEL
from dicom_node.tls import server_context
from tests.conftest import find_free_port
from tests.dicom_node.certificates import Certificates
from tests.dicom_node.filesystems import small_tmpfs
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph
from tests.dicom_node.receivers import peer_at, refusal
from tests.dicom_node.tls_doors import settings_with
from tests.waiting import wait_until

CR = str(ComputedRadiographyImageStorage)
WANTED = WantedInstance(STUDY, SERIES, CR, INSTANCE)
PROVED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
Handler = Callable[[Event], Iterator[Any]]


def _image(instance: str = INSTANCE) -> Dataset:
    """As pynetdicom sends it: in explicit VR."""
    image = radiograph(instance)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.set_original_encoding(False, True)
    return image


def sending(*images: Dataset, answered: int | Dataset | None = None) -> Handler:
    """Answers with so many sub-operations, then with a final status of its own if one is given."""

    def handle(_: Event) -> Iterator[Any]:
        yield max(len(images), 1) if answered is not None else len(images)
        for image in images:
            yield 0xFF00, image
        if answered is not None:
            yield answered, None

    return handle


def aborting(*images: Dataset, times: int = 99) -> Handler:
    """Aborts after so many images, the first ``times`` that it is asked; sends one afterwards."""
    left = iter(range(times))

    def handle(event: Event) -> Iterator[Any]:
        breaks_off = next(left, None) is not None
        yield 1
        for image in images if breaks_off else [_image()]:
            yield 0xFF00, image
        if breaks_off:
            event.assoc.abort()

    return handle


class Archive:
    """A pynetdicom SCP of C-GET on a port; what ``handler`` makes it do, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.handler: Handler = sending()
        self.asked: list[Event] = []

    def handle(self, event: Event) -> Iterator[Any]:
        self.asked.append(event)
        yield from self.handler(event)


@contextmanager
def archive_with(
    *,
    storage: Sequence[str] = (CR,),
    models: Sequence[str] = (GET_MODEL,),
    roles: bool = True,
    tls: TlsSettings | None = None,
) -> Iterator[Archive]:
    """An archive that accepts these contexts."""
    ae, archive = AE(ae_title="PACS"), Archive(find_free_port())
    for uid in models:
        ae.add_supported_context(uid, [ImplicitVRLittleEndian])
    for uid in storage:
        ae.add_supported_context(uid, [ExplicitVRLittleEndian], scu_role=not roles, scp_role=roles)
    server = ae.start_server(
        ("127.0.0.1", archive.port),
        block=False,
        evt_handlers=[(evt.EVT_C_GET, archive.handle)],
        ssl_context=None if tls is None else server_context(tls),
    )
    try:
        yield archive
    finally:
        server.shutdown()


@pytest.fixture(scope="module")
def lasting() -> Iterator[Archive]:
    """One for all tests: to shut one down takes half a second."""
    with archive_with() as archive:
        yield archive


@pytest.fixture
def archive(lasting: Archive) -> Archive:
    """It was asked nothing yet, and has nothing."""
    lasting.handler, lasting.asked = sending(), []
    return lasting


@contextmanager
def retrieving(
    port: int, *, stop: threading.Event | None = None, **changes: Any
) -> Iterator[Retriever]:
    """A retriever for the archive on a port."""
    settings = Settings(
        **{
            "peers": (peer_at(port, tls="tls" in changes),),
            "encoder": EncoderSettings(fetch_from="pacs"),
            **changes,
        }
    )
    with open_retriever(settings, stop=stop, decodable=PROVED) as retriever:
        yield retriever


def _fault(retriever: Retriever, into: Path, wanted: WantedInstance = WANTED) -> str:
    """Why fetching failed, "away" before it where that is worth trying later; no file is left."""
    with pytest.raises(RetrieveError) as caught:
        retriever.fetch(wanted, into)
    assert not list(into.iterdir())
    away = "away: " if isinstance(caught.value, RetrieverAwayError) else ""
    return away + re.sub(r"^peer pacs \(PACS at [\d.:]+\): ", "", str(caught.value))


def test_the_request_is_the_standards(archive: Archive, tmp_path: Path) -> None:
    """PS3.4 C.4.3.1.3 and C.6.2.1: IMAGE level, the unique keys of all levels, nothing else."""
    archive.handler = sending(_image())
    with retrieving(archive.port) as retriever:
        path = retriever.fetch(WANTED, tmp_path)
    expected = Dataset()
    expected.QueryRetrieveLevel, expected.SOPInstanceUID = "IMAGE", INSTANCE
    expected.StudyInstanceUID, expected.SeriesInstanceUID = STUDY, SERIES
    (request,) = archive.asked
    assert request.identifier == expected
    assert request.request.Priority == 2
    assert path.read_bytes()[data_set_start(path) :] == encoded(radiograph())


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (sending(), "does not have it"),
        (sending(answered=0xA701), "away: it is out of resources (answered 0xA701)"),
        (sending(answered=0xA900), "has it and could not send it (answered 0xA900)"),
        (sending(answered=0xFE00), "does not have it, or does not give it (answered 0xFE00)"),
        (sending(answered=0xC123), "has it and could not send it (answered 0xC123)"),
        (sending(answered=0x0124), "away: it does not allow us to (answered 0x0124)"),
        (
            sending(answered=refusal(0xC000, "tape\0\nlost")),
            "has it and could not send it (answered 0xC000 tape lost)",
        ),
        (
            sending(_image("1.2.3")),
            "gave another instance than it was asked for: 1.2.3",
        ),
    ],
)
def test_why_nothing_came(handler: Handler, told: str, archive: Archive, tmp_path: Path) -> None:
    archive.handler = handler
    with retrieving(archive.port) as retriever:
        assert _fault(retriever, tmp_path) == told


def test_of_a_whole_series_the_wanted_image_is_kept(archive: Archive, tmp_path: Path) -> None:
    """Some archives pass over the level, and send what lies beside it."""
    archive.handler = sending(_image("1.2.3"), _image(), _image("1.2.4"), _image())
    with retrieving(archive.port) as retriever:
        path = retriever.fetch(WANTED, tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes()[data_set_start(path) :] == encoded(radiograph())


@pytest.mark.parametrize(
    ("offers", "told"),
    [
        ({"models": [MOVE_MODEL]}, "away: does not take Study Root .* - GET"),
        (
            {"storage": [CTImageStorage]},
            "does not send Computed Radiography Image Storage by C-GET",
        ),
        ({"roles": False}, "does not send Computed Radiography Image Storage by C-GET"),
        ({"models": [MOVE_MODEL], "storage": [CTImageStorage]}, "away: .*does not take Study Root"),
    ],
)
def test_contexts_that_are_refused(offers: dict[str, Any], told: str, tmp_path: Path) -> None:
    with archive_with(**offers) as archive, retrieving(archive.port) as retriever:
        assert re.match(told, _fault(retriever, tmp_path))


def test_a_class_that_is_no_images_is_not_asked_for(free_port: int, tmp_path: Path) -> None:
    report = WantedInstance(STUDY, SERIES, "1.2.840.10008.5.1.4.1.1.88.33", INSTANCE)
    with retrieving(free_port) as retriever:
        assert "Comprehensive SR Storage is no SOP class of images" in _fault(
            retriever, tmp_path, report
        )


@pytest.mark.parametrize("images", [[], [_image("1.2.3")], [_image()]])
def test_a_peer_that_breaks_off_once_is_asked_once_more(
    images: list[Dataset], archive: Archive, tmp_path: Path
) -> None:
    """Before anything came, after something else did, and after the image itself."""
    archive.handler = aborting(*images, times=1)
    with retrieving(archive.port) as retriever:
        path = retriever.fetch(WANTED, tmp_path)
    assert len(archive.asked) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_peer_that_always_breaks_off_lets_nobody_in(archive: Archive, tmp_path: Path) -> None:
    archive.handler = aborting()
    with retrieving(archive.port) as retriever:
        assert _fault(retriever, tmp_path).startswith("away: breaks the association off when")
    assert len(archive.asked) == 2


def test_a_peer_that_breaks_off_at_one_instance_is_not_away(
    archive: Archive, tmp_path: Path
) -> None:
    def handle(event: Event) -> Iterator[Any]:
        poison = event.identifier.SOPInstanceUID == "1.2.3"
        yield from (aborting() if poison else sending())(event)

    poisonous = WantedInstance(STUDY, SERIES, CR, "1.2.3")
    archive.handler = handle
    with retrieving(archive.port) as retriever:
        assert _fault(retriever, tmp_path) == "does not have it"
        told = "breaks the association off when it is asked for this instance"
        assert _fault(retriever, tmp_path, poisonous) == told


def test_a_silent_peer_is_away(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.retrieving.association.SILENCE_S", 0.3)
    over = threading.Event()

    def handle(_: Event) -> Iterator[Any]:
        over.wait(20)
        yield 0

    archive.handler = handle
    with retrieving(archive.port) as retriever:
        assert _fault(retriever, tmp_path) == "away: said nothing for 0.3 s"
        over.set()
        assert _fault(retriever, tmp_path) == "does not have it"  # on another association


def test_a_node_that_ends_waits_for_nobody(archive: Archive, tmp_path: Path) -> None:
    stop, over = threading.Event(), threading.Event()

    def handle(_: Event) -> Iterator[Any]:
        stop.set()
        over.wait(20)
        yield 0

    archive.handler = handle
    with retrieving(archive.port, stop=stop) as retriever:
        assert _fault(retriever, tmp_path) == "away: not asked further: the node ends"
        over.set()


def test_an_instance_beyond_the_limit_is_broken_off(archive: Archive, tmp_path: Path) -> None:
    small = DicomSettings(max_instance_mb=0.005)
    archive.handler = sending(_image())
    with retrieving(archive.port, dicom=small) as retriever:
        assert _fault(retriever, tmp_path) == "sends more than dicom.max_instance_mb"


def test_a_full_disk_is_no_fault_of_the_instance(archive: Archive, tmp_path: Path) -> None:
    archive.handler = sending(_image())
    with small_tmpfs(tmp_path) as disk, retrieving(archive.port) as retriever:
        disk.leave_free(4096)
        into = disk.folder / "into"
        into.mkdir()
        assert re.match("away: .* cannot be written: No space left", _fault(retriever, into))
        disk.clear()
        assert retriever.fetch(WANTED, into).exists()


def test_a_peer_over_tls(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    theirs = settings_with(certificates.peer, certificates.authority, port=1)
    into = tmp_path / "into"
    into.mkdir()
    with archive_with(tls=theirs) as archive:
        archive.handler = sending(_image())
        ours = settings_with(certificates.node, certificates.authority)
        with retrieving(archive.port, tls=ours) as retriever:
            retriever.fetch(WANTED, into).unlink()
        stranger = settings_with(certificates.node, certificates.foreign)
        with retrieving(archive.port, tls=stranger) as retriever:
            assert "signed by no authority of tls.trusted" in _fault(retriever, into)


def test_an_association_that_rested_for_long_is_not_trusted(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.retrieving.association.IDLE_S", 0.0)
    archive.handler = sending(_image())
    with retrieving(archive.port) as retriever:
        retriever.fetch(WANTED, tmp_path)
        retriever.fetch(WANTED, tmp_path)
    assert len({id(event.assoc) for event in archive.asked}) == 2
    wait_until(
        lambda: all(event.assoc.is_released for event in archive.asked), "both to be released"
    )

"""Images fetched from archives as they are: Debian's Orthanc, and DCMTK's dcmqrscp."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID, RLELossless

from dicom_node.part10 import dataset_digest
from dicom_node.receiver_events import Event, InstanceAnswered
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.retriever import RetrieveError, Retriever, RetrieverAwayError
from dicom_node.scp import start_scp
from dicom_node.settings import EncoderSettings, Peer, Settings
from dicom_node.spool import Spool
from encoders.self_test import SAMPLES
from tests.conftest import find_free_port
from tests.dicom_node.archive_peers import ARCHIVE, dcmqrscp, wanted_in
from tests.dicom_node.doors import everything
from tests.dicom_node.objects import radiograph, written
from tests.dicom_node.receivers import OURS, peer_at
from tests.dicom_node.receiving import settings_for
from tests.end_to_end.orthanc import Installed, installed_in
from tests.waiting import wait_until

PASSWORD = "p@ss:word"


@dataclass(frozen=True)
class Archives:
    """Orthanc and dcmqrscp with the same images; both move to OURS at ``our_port``."""

    orthanc: Installed
    dcmtk_port: int
    dcmtk_log: Path
    our_port: int
    images: list[Path]

    def peers(self) -> dict[str, Peer]:
        """Each archive, by each of its ways."""
        orthanc = peer_at(self.orthanc.orthanc.dicom_port, ae_title="ORTHANC")
        dcmtk = peer_at(self.dcmtk_port, ae_title=ARCHIVE)
        return {
            "orthanc c-get": orthanc,
            "orthanc c-move": orthanc.model_copy(update={"retrieve": "c-move"}),
            "dcmtk c-get": dcmtk,
            "dcmtk c-move": dcmtk.model_copy(update={"retrieve": "c-move"}),
        }


def compressed(path: Path) -> Path:
    """The sample in RLE, with the UIDs of an image that came from somewhere."""
    (sample,) = [sample for sample in SAMPLES if sample.transfer_syntax == RLELossless]
    dataset = dcmread(sample.path)
    dataset.PatientID, dataset.Modality = "P2", "OT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.9", "1.2.9.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.9.1.1")
    dataset.save_as(path)
    return path


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    folder, our_port = tmp_path_factory.mktemp("archives"), find_free_port()
    images = [written(folder / f"{n}.dcm", radiograph(f"1.2.8.{n}")) for n in range(3)]
    with ExitStack() as stack:
        orthanc = stack.enter_context(installed_in(folder / "orthanc", user=f"reader:{PASSWORD}"))
        orthanc.start()
        for image in [*images, compressed(folder / "rle.dcm")]:
            orthanc.orthanc.upload(image)
        orthanc.orthanc.add_modality("ours", AET=OURS, Host="127.0.0.1", Port=our_port)
        dcmtk = stack.enter_context(dcmqrscp(folder / "dcmtk", images, our_port=our_port))
        log = folder / "dcmtk/dcmqrscp.log"
        yield Archives(orthanc, dcmtk, log, our_port, [*images, folder / "rle.dcm"])


@pytest.fixture(autouse=True)
def _doors_shut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.upper_layer.listener.LOOK_S", 0.02)


@pytest.fixture
def opened(
    archives: Archives, tmp_path: Path
) -> Iterator[Callable[[str], tuple[Retriever, list[Event]]]]:
    """Opens a retriever by its way, behind a door that is open; and what the door tells."""
    with ExitStack() as stack:

        def open_(way: str) -> tuple[Retriever, list[Event]]:
            settings = _settings(archives, tmp_path, way)
            events: list[Event] = []
            door = start_scp(settings, everything(), Spool(tmp_path), events.append)
            stack.callback(door.shutdown)
            return stack.enter_context(open_retriever(settings)), events

        yield open_


def _settings(archives: Archives, folder: Path, way: str) -> Settings:
    if way == "rest":
        url = f"http://reader:p%40ss%3Aword@127.0.0.1:{archives.orthanc.orthanc.http_port}"
        encoder = EncoderSettings(fetch_from="orthanc", orthanc_url=url)
        settings = settings_for(folder, archives.our_port)
    else:
        encoder = EncoderSettings(fetch_from="pacs")
        settings = settings_for(folder, archives.our_port, archives.peers()[way])
    return settings.model_copy(update={"encoder": encoder})


WAYS = ("orthanc c-get", "orthanc c-move", "rest", "dcmtk c-get", "dcmtk c-move")
Open = Callable[[str], tuple[Retriever, list[Event]]]


@pytest.mark.parametrize("way", WAYS)
def test_images_come_as_they_were_archived(
    way: str, archives: Archives, opened: Open, tmp_path: Path
) -> None:
    """The data set byte for byte; the archives stored files, so these ways change nothing."""
    retriever, events = opened(way)
    for image in archives.images[:3]:
        path = retriever.fetch(wanted_in(image), tmp_path)
        assert path.parent == tmp_path
        assert dataset_digest(path) == dataset_digest(image)
    assert not list(Spool(tmp_path).names())  # nothing of it was received to be kept
    assert not any(isinstance(event, InstanceAnswered) and event.spool_name for event in events)


@pytest.mark.parametrize("way", ["orthanc c-get", "orthanc c-move", "rest"])
def test_compressed_images_come_compressed(
    way: str, archives: Archives, opened: Open, tmp_path: Path
) -> None:
    path = opened(way)[0].fetch(wanted_in(archives.images[3]), tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == RLELossless
    assert dataset_digest(path) == dataset_digest(archives.images[3])


@pytest.mark.parametrize("way", WAYS)
def test_an_image_that_is_not_there_is_no_reason_to_wait(
    way: str, archives: Archives, opened: Open, tmp_path: Path
) -> None:
    retriever, _ = opened(way)
    unknown = replace(wanted_in(archives.images[0]), sop_instance_uid="1.2.3")
    with pytest.raises(RetrieveError, match="does not have it") as caught:
        retriever.fetch(unknown, tmp_path)
    assert not isinstance(caught.value, RetrieverAwayError)
    assert retriever.fetch(wanted_in(archives.images[0]), tmp_path).exists()
    assert len(list(tmp_path.glob("*.dcm"))) == 1


def test_one_association_serves_many_fetches(
    archives: Archives, opened: Open, tmp_path: Path
) -> None:
    before = archives.dcmtk_log.read_text().count("Association Received")
    retriever, _ = opened("dcmtk c-get")
    for image in archives.images[:3]:
        retriever.fetch(wanted_in(image), tmp_path)
    assert archives.dcmtk_log.read_text().count("Association Received") == before + 1


def test_another_sop_class_is_negotiated_anew(
    archives: Archives, opened: Open, tmp_path: Path
) -> None:
    """And both are known from then on, so that archives of both kinds do not cost one each."""
    retriever, _ = opened("orthanc c-get")
    log = archives.orthanc.orthanc
    log.ask("PUT", "/tools/log-level-dicom", b"verbose")
    for image in (archives.images[0], *archives.images[3:], *archives.images):
        retriever.fetch(wanted_in(image), tmp_path)
    assert archives.orthanc.log.count("Association Received") == 2


def test_what_an_archive_cannot_send_uncompressed_is_told(
    archives: Archives, tmp_path: Path
) -> None:
    """dcmqrscp takes no compressed syntax unless told to: 0xA702 is no reason to wait either."""
    image = archives.images[3]
    with dcmqrscp(tmp_path / "dcmtk", [image]) as port:
        peer = peer_at(port, ae_title=ARCHIVE)
        settings = settings_for(tmp_path, 1, peer).model_copy(
            update={"encoder": EncoderSettings(fetch_from="pacs")}
        )
        with (
            open_retriever(settings) as retriever,
            pytest.raises(RetrieveError, match=r"has it and could not send it .*0xA702") as caught,
        ):
            retriever.fetch(wanted_in(image), tmp_path)
    assert not isinstance(caught.value, RetrieverAwayError)


@pytest.mark.parametrize("way", ["dcmtk c-get", "dcmtk c-move"])
def test_an_archive_that_was_away_is_asked_again(
    way: str, archives: Archives, tmp_path: Path
) -> None:
    """Killed and started anew between two fetches, and away for one."""
    image, port = archives.images[0], find_free_port()
    peer = archives.peers()[way].model_copy(update={"port": port})
    encoder = EncoderSettings(fetch_from="pacs")
    settings = settings_for(tmp_path, archives.our_port, peer)
    settings = settings.model_copy(update={"encoder": encoder})
    door = start_scp(settings, everything(), Spool(tmp_path), lambda _: None)
    with open_retriever(settings) as retriever:
        for folder in ("first", "second"):
            with dcmqrscp(tmp_path / folder, [image], port=port, our_port=archives.our_port):
                assert retriever.fetch(wanted_in(image), tmp_path).exists()
        with pytest.raises(RetrieverAwayError, match="does not answer; is it running"):
            retriever.fetch(wanted_in(image), tmp_path)
    door.shutdown()


def test_a_wrong_password_is_the_same_for_all_images(archives: Archives, tmp_path: Path) -> None:
    url = f"http://reader:wrong@127.0.0.1:{archives.orthanc.orthanc.http_port}"
    settings = Settings(
        data_folder=tmp_path, encoder=EncoderSettings(fetch_from="orthanc", orthanc_url=url)
    )
    with (
        open_retriever(settings) as retriever,
        pytest.raises(
            RetrieverAwayError, match=r"user and password in encoder\.orthanc_url"
        ) as told,
    ):
        retriever.fetch(wanted_in(archives.images[0]), tmp_path)
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("way", ["orthanc c-get", "orthanc c-move"])
def test_an_ae_title_that_may_not_retrieve_is_the_same_for_all_images(
    way: str, archives: Archives, tmp_path: Path
) -> None:
    """Orthanc accepts the association of an AE that it does not know, and aborts its request."""
    settings = _settings(archives, tmp_path, way)
    dicom = settings.dicom.model_copy(update={"ae_title": "STRANGER"})
    with (
        open_retriever(settings.model_copy(update={"dicom": dicom})) as retriever,
        pytest.raises(RetrieverAwayError, match="is our AE title allowed to retrieve there"),
    ):
        retriever.fetch(wanted_in(archives.images[0]), tmp_path)


def test_a_destination_that_leads_elsewhere_is_told(
    archives: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node has our AE title there, and gets what we asked for."""
    monkeypatch.setattr("dicom_node.retrieving.c_move.LANDING_S", 0.2)
    settings = _settings(archives, tmp_path / "ours", "dcmtk c-move")
    elsewhere = Spool(tmp_path / "theirs")
    door = start_scp(settings, everything(), elsewhere, lambda _: None)
    with (
        open_retriever(settings) as retriever,
        pytest.raises(RetrieverAwayError, match="does its entry for LIKENESS lead to this node's"),
    ):
        retriever.fetch(wanted_in(archives.images[0]), tmp_path)
    wait_until(lambda: len(list(elsewhere.names())) == 1, "the instance to arrive elsewhere")
    door.shutdown()

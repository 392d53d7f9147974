"""Studies that turn stable in Orthanc reach the node: once, all of them, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_node.report.device import Device
from tests.conftest import find_free_port
from tests.dicom_node.receivers import Receiver
from tests.end_to_end.orthanc import Orthanc
from tests.orthanc_plugin.plugged import (
    MARK,
    MARK_NAME,
    NODE_AE,
    Probe,
    archive_in,
    as_file,
    image,
    mark_of,
    new_uid,
    node_scp,
    put,
    status,
    store,
    wait_until_idle,
    wait_until_sent,
)
from tests.waiting import wait_until

OTHERS = {
    "SR": ComprehensiveSRStorage,
    "PR": GrayscaleSoftcopyPresentationStateStorage,
    "KO": KeyObjectSelectionDocumentStorage,
    "SEG": SegmentationStorage,
    "RTSTRUCT": RTStructureSetStorage,
    "DOC": EncapsulatedPDFStorage,
}


@pytest.fixture(scope="module")
def scp_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, scp_port: int) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("forwarding")
    more = {"OverwriteInstances": True, "UserMetadata": {MARK_NAME: MARK}}
    with archive_in(folder, scp_port=scp_port, orthanc=more) as installed:
        yield installed.orthanc


@pytest.fixture
def node(scp_port: int) -> Iterator[Receiver]:
    with node_scp(scp_port) as got:
        yield got


def test_a_stable_study_is_sent_once(orthanc: Orthanc, node: Receiver) -> None:
    uid = new_uid()
    images = [image(uid) for _ in range(3)]
    study = put(orthanc, *images)
    wait_until_sent(orthanc, [study])
    wait_until_idle(orthanc)
    assert sorted(node.uids()) == sorted(dataset.SOPInstanceUID for dataset in images)
    assert node.callers == ["ORTHANC"] * 3
    mark = mark_of(orthanc, study)
    assert (mark["images"], mark["refused"]) == (3, 0)


def test_images_that_are_added_or_replaced_send_the_study_again(
    orthanc: Orthanc, node: Receiver
) -> None:
    uid = new_uid()
    first, second = image(uid), image(uid)
    study = put(orthanc, first)
    wait_until_sent(orthanc, [study])
    put(orthanc, second)
    wait_until(lambda: len(node.uids()) == 3, "both to be sent")
    wait_until_sent(orthanc, [study])
    first.ViewPosition = "AP"
    put(orthanc, first)
    wait_until(lambda: len(node.uids()) == 5, "the replaced one to be sent")
    assert node.datasets[-1].ViewPosition != node.datasets[-2].ViewPosition


@pytest.mark.parametrize(
    ("modality", "sop_class"),
    [("SR", Comprehensive3DSRStorage), ("OT", SecondaryCaptureImageStorage)],
)
def test_what_the_node_made_is_not_sent_back(
    orthanc: Orthanc, node: Receiver, modality: str, sop_class: str
) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid))
    wait_until_sent(orthanc, [study])
    before = mark_of(orthanc, study)
    made = Device(uid="2.25.1", ae_title=NODE_AE, software_version="1").manufacturer
    returned = image(uid, SOPClassUID=sop_class, Modality=modality, Manufacturer=made)
    returned.SeriesInstanceUID = new_uid()
    put(orthanc, returned)
    wait_until_idle(orthanc)
    assert len(node.uids()) == 1
    assert mark_of(orthanc, study)["fingerprint"] == before["fingerprint"]


def test_what_comes_under_the_nodes_ae_title_is_not_sent_back(
    orthanc: Orthanc, node: Receiver, tmp_path: Path
) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid))
    wait_until_sent(orthanc, [study])
    (tmp_path / "back.dcm").write_bytes(as_file(image(uid, SOPClassUID=CTImageStorage)))
    store(orthanc, tmp_path, calling=NODE_AE)
    wait_until_idle(orthanc)
    assert len(node.uids()) == 1


def test_what_holds_no_image_is_left_out(orthanc: Orthanc, node: Receiver) -> None:
    uid = new_uid()
    others = [
        image(uid, SOPClassUID=sop_class, Modality=modality)
        for modality, sop_class in OTHERS.items()
    ]
    study = put(orthanc, image(uid), *others)
    for other in others:
        other.StudyInstanceUID = new_uid()
    alone = [put(orthanc, other) for other in others]
    wait_until_sent(orthanc, [study])
    wait_until(lambda: all(mark_of(orthanc, other) for other in alone), "the others' turn")
    assert [dataset.StudyInstanceUID for dataset in node.datasets] == [uid]
    assert {mark_of(orthanc, other)["state"] for other in alone} == {"nothing to send"}


def test_ten_studies_at_once_all_arrive_and_orthanc_stays_quick(
    orthanc: Orthanc, node: Receiver
) -> None:
    uids = [new_uid() for _ in range(10)]
    with Probe(orthanc) as probe:
        studies = [put(orthanc, image(uid), image(uid)) for uid in uids]
        wait_until_sent(orthanc, studies)
    arrived = [dataset.StudyInstanceUID for dataset in node.datasets]
    assert sorted(arrived) == sorted(uids * 2)
    assert probe.longest < 1.0


def test_studies_wait_their_turn_while_the_node_is_slow(orthanc: Orthanc, node: Receiver) -> None:
    node.may_answer.clear()
    studies = [put(orthanc, image(new_uid())) for _ in range(3)]

    def stuck() -> bool:
        forwarding = status(orthanc)["forwarding"]
        return bool((forwarding["sending"], forwarding["waiting"]) == (1, 2))

    with Probe(orthanc) as probe:
        wait_until(stuck, "two to wait for the first")
        state = orthanc.get(f"/likeness/state/study/{studies[2]}")
    assert (state["state"], state["says"]) == ("waiting", "waiting to be sent")
    node.may_answer.set()
    wait_until_sent(orthanc, studies)
    assert probe.longest < 1.0


def test_a_study_that_is_deleted_meanwhile_is_dropped(orthanc: Orthanc, node: Receiver) -> None:
    node.may_answer.clear()
    studies = [put(orthanc, image(new_uid())) for _ in range(3)]
    wait_until(lambda: sum(_counts(orthanc)) == 3, "all three to be noted")
    assert orthanc.ask("DELETE", f"/studies/{studies[0]}")[0] == 200
    assert orthanc.ask("DELETE", f"/studies/{studies[2]}")[0] == 200
    node.may_answer.set()
    wait_until_sent(orthanc, [studies[1]])
    wait_until(lambda: sum(_counts(orthanc)) == 0, "nothing to be left")


def _counts(orthanc: Orthanc) -> list[int]:
    forwarding = status(orthanc)["forwarding"]
    return [forwarding[state] for state in ("waiting", "sending", "failed")]


def test_a_study_is_sent_again_when_someone_asks(orthanc: Orthanc, node: Receiver) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid))
    wait_until_sent(orthanc, [study])
    headers = {"Content-Type": "application/json"}
    answer = orthanc.exchange("POST", f"/likeness/forward/{uid}", b"", headers)
    assert (answer.status, answer.json()["state"]) == (202, "waiting")
    wait_until(lambda: len(node.uids()) == 2, "it to be sent again")


def test_an_image_that_the_node_refuses_does_not_hold_up_the_others(
    orthanc: Orthanc, node: Receiver
) -> None:
    uid = new_uid()
    images = [image(uid) for _ in range(5)]
    bad = image(uid, SOPClassUID=CTImageStorage, Modality="CT")
    node.answers[CTImageStorage] = 0xC000
    study = put(orthanc, *images[:2], bad, *images[2:])
    wait_until_sent(orthanc, [study])
    arrived = {dataset.SOPInstanceUID for dataset in node.datasets}
    assert arrived == {dataset.SOPInstanceUID for dataset in (*images, bad)}  # all were offered
    mark = mark_of(orthanc, study)
    assert (mark["images"], mark["refused"]) == (5, 1)

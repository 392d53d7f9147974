"""The work on a study: late images, files that are gone, per-peer rules, several nodes."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import Engine, text

from storage.studies import Recorded
from tests.dicom_node.objects import INSTANCE, STUDY, radiograph
from tests.dicom_node.worked import WorkedNode, ct_slice, worked_node


@pytest.fixture
def node(engine: Engine, tmp_path: Path) -> Iterator[WorkedNode]:
    with worked_node(engine, tmp_path / "a") as made:
        yield made


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[WorkedNode]:
    """Another node on the same database."""
    with worked_node(engine, tmp_path / "b") as made:
        yield made


def _slices(node: WorkedNode, *places: float, calling: str = "CT1") -> None:
    for z in places:
        node.receive(ct_slice(z), calling)


def _slice_uid(z: int) -> str:
    return f"{STUDY}.1.{z + 100}"


@pytest.mark.parametrize(
    ("late", "middle", "same_vector"),
    [
        ((-1, 5), 2, True),  # the middle of -1 to 5 is embedded already
        ((5, 6), 5, False),  # that of 0 to 6 is gone; of 2 (embedded), 5 and 6 it is 5
    ],
)
def test_late_images_are_worked_though_the_first_files_are_gone(
    node: WorkedNode, late: tuple[int, int], middle: int, same_vector: bool
) -> None:
    _slices(node, 0, 1, 2, 3, 4)
    node.work()
    first = node.vectors()
    assert list(first) == [_slice_uid(2)]
    assert node.sweep(keep_days=0) == 5
    assert list(node.worker.spool.names()) == []
    _slices(node, *late)
    node.work()
    assert node.state() == ("indexed", "")
    assert list(node.vectors()) == [_slice_uid(middle)]
    assert (node.vectors() == first) is same_vector


@pytest.mark.long
@pytest.mark.timeout(900)  # a minute and a half by itself; five beside a busy machine's other work
def test_a_study_of_5000_slices_is_worked_by_its_middle(node: WorkedNode) -> None:
    _slices(node, *range(5000))
    node.work()
    assert list(node.vectors()) == [_slice_uid(2499)]
    with node.engine.connect() as connection:
        left_out = text("SELECT count(*) FROM instances WHERE left_out IS NOT NULL")
        assert connection.execute(left_out).scalar_one() == 4999


def test_an_image_that_was_changed_is_embedded_again(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.work()
    first = node.vectors()
    assert node.receive(radiograph(StudyDescription="corrected")) is Recorded.REPLACED
    node.work()
    assert node.vectors().keys() == first.keys()
    assert node.vectors() != first


def test_a_changed_image_that_cannot_be_read_leaves_no_vector_of_the_old(
    node: WorkedNode,
) -> None:
    node.receive(radiograph())
    node.work()
    node.receive(radiograph(PixelData=b"\0\0"))
    node.work()
    assert node.state()[0] == "failed"
    assert node.vectors() == {}


def test_a_study_whose_files_are_gone_says_so_and_is_mended_by_sending_it_again(
    node: WorkedNode,
) -> None:
    node.receive(radiograph())
    node.close()
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE studies SET state = 'failed'"))
    assert node.sweep(keep_failed_days=0) == 1
    while node.loop.work_next():
        pass
    assert node.sweep(keep_failed_days=0) == 0
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE studies SET state = 'queued'"))
        connection.execute(text("UPDATE jobs SET state = 'queued'"))
    assert node.loop.work_next()
    state, reason = node.state()
    assert state == "failed"
    assert "gone from the spool (spool.keep_days)" in reason
    assert node.receive(radiograph()) is Recorded.RESTORED
    node.work()
    assert node.state() == ("indexed", "")


def test_an_identical_duplicate_of_an_image_whose_file_is_gone_changes_nothing(
    node: WorkedNode,
) -> None:
    node.receive(radiograph())
    node.work()
    vectors = node.vectors()
    node.sweep(keep_days=0)
    assert node.receive(radiograph()) is Recorded.IDENTICAL
    node.sweep(keep_days=7)
    assert (node.state(), node.vectors()) == (("indexed", ""), vectors)
    assert list(node.worker.spool.names()) == []


def test_an_image_sent_again_under_another_study_is_found_there_alone(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.work()
    node.receive(radiograph(study="1.2.9"))
    node.work("1.2.9", STUDY)
    assert list(node.vectors("1.2.9")) == [INSTANCE]
    assert node.vectors() == {}
    assert node.state()[0] == "failed"


def _archive(node: WorkedNode, count: int = 3) -> list[str]:
    """Indexed studies of as many patients; returns their UIDs."""
    uids = [f"1.5.{number}" for number in range(count)]
    for number, uid in enumerate(uids):
        node.receive(radiograph(f"{uid}.1.1", study=uid, PatientID=f"X{number}"), "PACS")
    node.work(*uids)
    return uids


def test_a_study_to_be_answered_only_is_answered_and_not_found(node: WorkedNode) -> None:
    """Its own patient's study is a prior, the other patients' are hits."""
    own, *others = _archive(node)
    node.receive(radiograph(PatientID="X0"), "WS1")
    node.work()
    assert node.state() == ("answered", "")
    assert node.vectors() == {}
    assert node.sent_to() == ["pacs"]
    report = pydicom.dcmread(BytesIO(node.report() or b""))
    assert report.StudyInstanceUID == STUDY
    told = str(report)
    assert all(uid in told for uid in (own, *others))
    node.receive(radiograph("1.6.1.1", study="1.6"), "CT1")
    node.work("1.6")
    assert STUDY not in str(pydicom.dcmread(BytesIO(node.report("1.6") or b"")))


def test_the_audit_tells_what_an_answered_study_was_compared_with(node: WorkedNode) -> None:
    _archive(node)
    node.receive(radiograph(PatientID="X0"), "WS1")
    node.work()
    with node.engine.connect() as connection:
        row = connection.execute(text("SELECT asked_by, searched FROM queries")).one()
    assert tuple(row) == ("dicom:WS1", 2)


def test_an_answered_study_is_kept_once_a_peer_that_indexes_sends_it(node: WorkedNode) -> None:
    _slices(node, 0, 1, 2, calling="WS1")
    node.work()
    node.sweep(keep_days=0)
    _slices(node, 0, 1, 2, calling="PACS")
    node.work()
    assert node.state() == ("indexed", "")
    assert list(node.vectors()) == [_slice_uid(1)]
    assert node.sent_to() == ["pacs"]  # for WS1 alone; PACS is not answered


def test_one_peer_that_indexes_is_enough_and_each_that_asks_is_answered(
    node: WorkedNode,
) -> None:
    node.receive(radiograph(), "PACS")
    node.receive(radiograph(), "WS1")
    node.work()
    assert node.state() == ("indexed", "")
    assert list(node.vectors()) == [INSTANCE]
    assert node.sent_to() == ["pacs"]


def test_a_study_to_be_indexed_only_brings_no_report(node: WorkedNode) -> None:
    node.receive(radiograph(), "PACS")
    node.work()
    assert node.state() == ("indexed", "")
    assert node.report() is None


def test_a_result_stored_into_an_answered_study_starts_no_loop(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.work()
    result = radiograph(f"{INSTANCE}.9", SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    assert node.receive(result, "AI") is Recorded.NEW
    assert node.state() == ("indexed", "")


def test_deaths_of_the_worker_are_forgiven_longer_than_faults(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.close()
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET attempts = 9"))
    assert node.loop.work_next()
    assert node.state() == ("indexed", "")


def test_a_study_that_kills_the_worker_again_and_again_is_set_aside(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.close()
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET attempts = 10"))
    assert node.loop.work_next()
    assert node.state() == ("failed", "the worker died 10 times working on it")


def test_each_node_works_what_it_received_and_answers_from_all(
    node: WorkedNode, other: WorkedNode
) -> None:
    node.receive(radiograph("1.5.1.1.1", study="1.5.1", PatientID="A"))
    other.receive(radiograph("1.5.2.1.1", study="1.5.2", PatientID="B"))
    node.close("1.5.1", "1.5.2")
    assert [node.loop.work_next(), node.loop.work_next()] == [True, False]
    assert node.state("1.5.2")[0] == "queued"
    assert [other.loop.work_next(), other.loop.work_next()] == [True, False]
    assert "1.5.1" in str(pydicom.dcmread(BytesIO(other.report("1.5.2") or b"")))
    node.receive(radiograph(PatientID="C"))
    node.work()
    told = str(pydicom.dcmread(BytesIO(node.report() or b"")))
    assert "1.5.1" in told
    assert "1.5.2" in told


def test_a_study_that_came_to_two_nodes_is_worked_by_the_one_that_got_its_last(
    node: WorkedNode, other: WorkedNode
) -> None:
    """The slice in the middle lies at the other node, so the nearest that is here stands for it."""
    _slices(node, 0, 1, 2)
    _slices(other, 3, 4)
    other.close()
    assert not node.loop.work_next()
    assert other.loop.work_next()
    assert list(other.vectors()) == [_slice_uid(3)]
    with other.engine.connect() as connection:
        left_out = connection.execute(
            text("SELECT left_out FROM instances WHERE sop_instance_uid = :uid"),
            {"uid": _slice_uid(2)},
        ).scalar_one()
    assert "at another node" in left_out


def test_an_image_embedded_at_one_node_is_kept_by_the_other(
    node: WorkedNode, other: WorkedNode
) -> None:
    _slices(node, 0, 1, 2)
    node.work()
    first = node.vectors()
    _slices(other, -1, 3)
    other.work()
    assert other.state() == ("indexed", "")
    assert other.vectors() == first


@pytest.mark.parametrize("begun", [False, True])
def test_work_that_another_node_has_taken_over_changes_nothing(
    node: WorkedNode, other: WorkedNode, begun: bool
) -> None:
    _slices(node, 0, 1, 2)
    node.close()
    job = node.claim() if begun else None
    _slices(other, 3, 4, 0, 1, 2)
    other.close()
    if job is not None:
        node.loop.work_claimed(job)
    assert not node.loop.work_next()
    assert (node.state()[0], node.vectors(), node.sent_to()) == ("queued", {}, [])
    assert other.loop.work_next()
    assert list(node.vectors()) == [_slice_uid(2)]
    assert not node.loop.work_next()

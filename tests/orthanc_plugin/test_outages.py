"""The node is away, or Orthanc is stopped or killed: every study arrives all the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_free_port
from tests.dicom_node.receivers import Receiver
from tests.end_to_end.orthanc import Installed
from tests.orthanc_plugin.plugged import (
    NODE_AE,
    archive_in,
    image,
    mark_of,
    new_uid,
    node_scp,
    plugged_in,
    put,
    status,
    wait_until_idle,
    wait_until_sent,
)
from tests.waiting import wait_until


@pytest.fixture
def scp_port() -> int:
    return find_free_port()


@pytest.fixture
def installed(tmp_path: Path, scp_port: int) -> Iterator[Installed]:
    """Orthanc with the plug-in; the node is away."""
    with archive_in(tmp_path, scp_port=scp_port) as running:
        yield running


def test_studies_wait_for_a_node_that_is_away(installed: Installed, scp_port: int) -> None:
    orthanc = installed.orthanc
    studies = [put(orthanc, image(new_uid())) for _ in range(3)]
    wait_until(lambda: status(orthanc)["forwarding"]["paused"], "sending to pause")
    reason = status(orthanc)["forwarding"]["paused"]
    assert reason == f"the node's DICOM port 127.0.0.1:{scp_port} does not answer"
    assert reason in installed.log
    with node_scp(scp_port) as node:
        wait_until_sent(orthanc, studies)
    assert len(node.uids()) == 3
    assert not status(orthanc)["forwarding"]["paused"]


def test_a_restart_sends_what_is_missing_and_nothing_twice(
    installed: Installed, scp_port: int
) -> None:
    """Sent before; sent to its end by a job while Orthanc was stopping; not even stable."""
    uid = new_uid()
    with node_scp(scp_port) as node:
        before = put(installed.orthanc, image(uid), image(uid))
        wait_until_sent(installed.orthanc, [before])
        wait_until_idle(installed.orthanc)
        node.may_answer.clear()
        under_way = put(installed.orthanc, image(new_uid()))
        wait_until(lambda: mark_of(installed.orthanc, under_way), "the next to be on its way")
        late = put(installed.orthanc, image(new_uid()))
        _stop_with_its_jobs(installed, node)
        installed.start()
        wait_until_sent(installed.orthanc, [before, under_way, late])
        wait_until_idle(installed.orthanc)
        assert len(node.uids()) == 4
    assert mark_of(installed.orthanc, before)["images"] == 2
    assert "sweep: done, 3 of 3 studies looked at" in installed.log


def _stop_with_its_jobs(installed: Installed, node: Receiver) -> None:
    """Orthanc ends its running job before it stops; the node answers only then."""
    assert installed.process is not None
    installed.process.terminate()
    wait_until(lambda: "Orthanc is stopping" in installed.log, "Orthanc to be stopping")
    node.may_answer.set()
    assert installed.process.wait(60) == 0


def test_the_sweep_finds_a_study_that_never_turned_stable(tmp_path: Path, scp_port: int) -> None:
    """Orthanc forgets which studies were not stable yet when it ends."""
    with plugged_in(tmp_path, scp_port=scp_port, orthanc={"StableAge": 3600}) as installed:
        installed.start()
        study = put(installed.orthanc, image(new_uid()))
        assert not mark_of(installed.orthanc, study)
        installed.kill()
        with node_scp(scp_port) as node:
            installed.start()
            wait_until_sent(installed.orthanc, [study])
        assert len(node.uids()) == 1


def test_a_killed_orthanc_sends_what_waited(installed: Installed, scp_port: int) -> None:
    studies = [put(installed.orthanc, image(new_uid())) for _ in range(3)]
    wait_until(lambda: status(installed.orthanc)["forwarding"]["paused"], "sending to pause")
    installed.kill()
    with node_scp(scp_port) as node:
        installed.start()
        wait_until_sent(installed.orthanc, studies)
    assert len(set(node.uids())) == 3


def test_a_study_in_mid_sending_arrives_whole_after_a_kill(
    installed: Installed, scp_port: int
) -> None:
    uid = new_uid()
    images = [image(uid) for _ in range(4)]
    with node_scp(scp_port) as node:
        node.may_answer.clear()
        study = put(installed.orthanc, *images)
        wait_until(lambda: mark_of(installed.orthanc, study), "the study to be on its way")
        installed.kill()
        node.may_answer.set()
        installed.start()
        wait_until_sent(installed.orthanc, [study])
    assert set(node.uids()) == {dataset.SOPInstanceUID for dataset in images}


def test_two_orthancs_send_to_one_node(
    installed: Installed, tmp_path_factory: pytest.TempPathFactory, scp_port: int
) -> None:
    folder = tmp_path_factory.mktemp("other")
    with (
        node_scp(scp_port) as node,
        archive_in(folder, scp_port=scp_port, orthanc={"DicomAet": "OTHER"}) as other,
    ):
        uid, of_both = new_uid(), image(new_uid())
        mine = [put(installed.orthanc, image(uid)), put(installed.orthanc, of_both)]
        theirs = [put(other.orthanc, image(uid)), put(other.orthanc, of_both)]
        wait_until_sent(installed.orthanc, mine)
        wait_until_sent(other.orthanc, theirs)
    assert sorted(node.callers) == ["ORTHANC", "ORTHANC", "OTHER", "OTHER"]


def test_an_unknown_modality_is_told_and_waited_for(tmp_path: Path, scp_port: int) -> None:
    with (
        archive_in(tmp_path, scp_port=scp_port, orthanc={"DicomModalities": {}}) as installed,
        node_scp(scp_port),
    ):
        study = put(installed.orthanc, image(new_uid()))
        said = "Orthanc's DicomModalities has no entry \"likeness\": add the node's"
        wait_until(lambda: said in installed.log, "the plug-in to say so")
        installed.orthanc.add_modality("likeness", AET=NODE_AE, Host="127.0.0.1", Port=scp_port)
        wait_until_sent(installed.orthanc, [study])


@pytest.mark.parametrize(
    ("settings", "sent"),
    [({"Forward": False}, False), ({"SweepAtStart": False}, False), ({}, True)],
)
def test_the_switches_leave_sending_by_hand(
    tmp_path: Path, scp_port: int, settings: dict[str, Any], sent: bool
) -> None:
    with plugged_in(tmp_path, scp_port=scp_port, **settings) as installed, node_scp(scp_port):
        _with_a_study_from_before(installed)
        installed.start()
        wait_until_idle(installed.orthanc)
        (study,) = installed.orthanc.get("/studies")
        if not sent:
            assert not mark_of(installed.orthanc, study)
            uid = installed.orthanc.get(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"]
            headers = {"Content-Type": "application/json"}
            installed.orthanc.exchange("POST", f"/likeness/forward/{uid}", b"", headers)
        wait_until_sent(installed.orthanc, [study])


def _with_a_study_from_before(installed: Installed) -> None:
    """The study was stored, and Orthanc killed before it was stable."""
    installed.start()
    put(installed.orthanc, image(new_uid()))
    installed.kill()

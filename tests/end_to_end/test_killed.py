"""SIGKILL at the worst moments: what was acknowledged is worked to its end, nothing twice."""

import threading
from pathlib import Path

import pydicom
import pytest

from dicom_node.scu import SendError
from dicom_node.settings import DicomSettings
from dicom_node.store_sender import StoreSender
from evaluation.synthetic import SyntheticStudy, make_study
from tests.end_to_end.running import REPORTED_CALLER, Node, node_in, reports_in, viewer
from tests.waiting import wait_until


class PersistentSender(threading.Thread):
    """Sends studies one after another, each again and again until all of it is acknowledged."""

    def __init__(self, port: int, studies: list[SyntheticStudy]) -> None:
        super().__init__(daemon=True)
        self._sender = StoreSender(DicomSettings(port=port), calling_ae=REPORTED_CALLER)
        self._studies = studies
        self.acknowledged = 0

    def run(self) -> None:
        """Until every study is acknowledged."""
        pause = threading.Event()
        for study in self._studies:
            while not self._send(study):
                pause.wait(0.1)
            self.acknowledged += 1

    def _send(self, study: SyntheticStudy) -> bool:
        try:
            with self._sender.association() as association:
                association.send(study.datasets)
        except (SendError, RuntimeError):
            return False
        return True


def _studies(count: int) -> list[SyntheticStudy]:
    """Radiographs, and a CT of some sixty slices in every eighth place."""
    return [make_study(index, modality="CT" if index % 8 == 7 else "DX") for index in range(count)]


def _kill_after(node: Node, sender: PersistentSender, acknowledged: int) -> None:
    wait_until(lambda: sender.acknowledged >= acknowledged, f"{acknowledged} studies", 120)
    node.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("count", "kills"),
    [(6, (2, 6)), pytest.param(120, tuple(range(5, 120, 6)), marks=pytest.mark.long)],
)
def test_all_studies_are_finished_though_the_node_is_killed(
    tmp_path: Path, count: int, kills: tuple[int, ...]
) -> None:
    """Killed after so many acknowledged studies, the last time right after the last of all."""
    studies = _studies(count)
    with node_in(tmp_path) as node, viewer(node.viewer_port, tmp_path / "answers") as answers:
        node.start()
        sender = PersistentSender(node.port, studies)
        sender.start()
        for acknowledged in kills:
            _kill_after(node, sender, acknowledged)
            node.start()
        sender.join(300)
        node.wait_until_worked(count, 300)
        assert node.status()["studies"] == {"indexed": count}
        assert node.likeness("verify").returncode == 0
        wait_until(lambda: _answered(answers) == _uids(studies), "a report on every study", 120)
        assert _made_twice(answers) == []


def _uids(studies: list[SyntheticStudy]) -> set[str]:
    return {study.study_instance_uid for study in studies}


def _answered(answers: Path) -> set[str]:
    return {pydicom.dcmread(path).StudyInstanceUID for path in reports_in(answers)}


def _made_twice(answers: Path) -> list[str]:
    """Study UIDs with two reports of which the later does not name the earlier.

    A study that closed before its sender came back is honestly answered twice, the second time
    as a revision.
    """
    reports: dict[str, list[pydicom.Dataset]] = {}
    for path in reports_in(answers):
        report = pydicom.dcmread(path)
        reports.setdefault(report.StudyInstanceUID, []).append(report)
    return [
        uid
        for uid, made in reports.items()
        if sum("PredecessorDocumentsSequence" not in report for report in made) != 1
    ]

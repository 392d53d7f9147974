"""Peers that get what the node sends: pynetdicom with any answer, or DCMTK's storescp."""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification

from dicom_node.scu import SendError, echo
from dicom_node.settings import Peer
from tests.waiting import wait_until

STORESCP = Path("/usr/bin/storescp")
OURS = "LIKENESS"


def peer_at(port: int, **changes: Any) -> Peer:
    """A peer on this machine."""
    return Peer(
        **{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port, **changes}
    )


Answer = int | Dataset | None
"""A status, alone or with its comment; None aborts the association instead."""


def refusal(status: int, comment: str) -> Dataset:
    """An answer with an Error Comment (0000,0902)."""
    answer = Dataset()
    answer.Status, answer.ErrorComment = status, comment
    return answer


class Receiver:
    """What a pynetdicom SCP got so far.

    ``answer`` is the status of its next responses, ``answers`` those for single SOP classes;
    it answers only while ``may_answer`` is set.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.answers: dict[str, Answer] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.datasets: list[Dataset] = []
        self.encoded: list[bytes] = []
        self.callers: list[str] = []
        self.associations: set[int] = set()

    def handle(self, event: Event) -> int | Dataset:
        """Keeps the data set and answers; aborts where there is no answer to give."""
        self.may_answer.wait()
        answer = self.answers.get(event.request.AffectedSOPClassUID, self.answer)
        if answer is None:
            event.assoc.abort()
            return 0x0110
        self.datasets.append(event.dataset)
        self.encoded.append(event.request.DataSet.getvalue())
        self.callers.append(event.assoc.requestor.ae_title)
        self.associations.add(id(event.assoc))
        return answer

    def uids(self) -> list[str]:
        """The SOP Instance UIDs in the order in which they came."""
        return [str(dataset.SOPInstanceUID) for dataset in self.datasets]


@contextmanager
def receiver(
    port: int,
    answer: Answer = 0x0000,
    *,
    sop_classes: Sequence[str] = (Comprehensive3DSRStorage, Verification),
    listed: Sequence[str] = (),
    syntaxes: Sequence[str] = (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
) -> Iterator[Receiver]:
    """An SCP for reports; None as ``answer`` aborts the association instead."""
    ae = AE(ae_title="PACS")
    ae.require_calling_aet = list(listed)
    for uid in sop_classes:
        ae.add_supported_context(uid, list(syntaxes))
    got = Receiver(answer)
    handlers = [(evt.EVT_C_STORE, got.handle)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield got
    finally:
        server.shutdown()


@contextmanager
def storescp(port: int, folder: Path) -> Iterator[Path]:
    """DCMTK's storescp, which writes each object that it gets into ``folder``."""
    process = subprocess.Popen(
        [str(STORESCP), "-aet", "PACS", "-od", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(port), "storescp to answer", 20)
        yield folder
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        echo(peer_at(port), calling_ae=OURS)
    except SendError:
        return False
    return True


def report_file(study: str = "1.2.3", sop_class: str = Comprehensive3DSRStorage) -> bytes:
    """A DICOM file of a SOP class that reports have; its content does not matter on the way."""
    dataset = _document(study, sop_class)
    dataset.Modality = "SR"
    return _file(dataset)


def picture_file(study: str = "1.2.3") -> bytes:
    """A DICOM file of the SOP class that pictures have."""
    dataset = _document(study, SecondaryCaptureImageStorage)
    dataset.Modality, dataset.PixelData = "OT", bytes(range(256)) * 40
    dataset["PixelData"].VR = "OB"
    return _file(dataset)


def _document(study: str, sop_class: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid()
    dataset.PatientName, dataset.PatientID = "Müller^Jörg", "P1"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset


def _file(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()

"""Orthanc with the plug-in, what is put into it, and who gets it."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from tests.dicom_node.objects import radiograph
from tests.dicom_node.receivers import Answer, Receiver, receiver
from tests.end_to_end.orthanc import Installed, Orthanc, installed_in, library
from tests.end_to_end.running import dcmtk
from tests.waiting import wait_until

SCRIPT = Path(__file__).parents[2] / "orthanc_plugin" / "likeness_plugin.py"
TOKEN = "lk-secret-of-the-tests"
NODE_AE = "LIKENESS"
MARK = 27211
"""The plug-in's default."""
MARK_NAME = "likeness"
"""Its name, where a test's Orthanc has given it one."""


def plugged_in(
    folder: Path,
    *,
    scp_port: int,
    url: str = "http://127.0.0.1:9",
    user: str = "",
    orthanc: Mapping[str, Any] | None = None,
    **likeness: Any,
) -> AbstractContextManager[Installed]:
    """An Orthanc with the plug-in and the web viewer, not started yet.

    Args:
        folder: for all that it keeps.
        scp_port: where the node listens for C-STORE.
        url: the node's HTTP service; by default there is none.
        user: who asks, as "name:password".
        orthanc: further entries of its configuration.
        likeness: entries of the section "Likeness"; None leaves one out.
    """
    section = {"Url": url, "Token": TOKEN, "RetrySeconds": 0.2, **likeness}
    more = {
        "Plugins": [
            library("libOrthancPython.so", "orthanc-python"),
            library("libOrthancWebViewer.so", "orthanc-webviewer"),
        ],
        "PythonScript": str(SCRIPT),
        "StableAge": 1,
        "DicomModalities": {"likeness": [NODE_AE, "127.0.0.1", scp_port]},
        "Likeness": {key: value for key, value in section.items() if value is not None},
        **(orthanc or {}),
    }
    return installed_in(folder, user=user, more=more)


@contextmanager
def archive_in(folder: Path, **settings: Any) -> Iterator[Installed]:
    """The same, started."""
    with plugged_in(folder, **settings) as installed:
        installed.start()
        yield installed


def node_scp(port: int, answer: Answer = 0x0000) -> AbstractContextManager[Receiver]:
    """A Storage SCP that takes images and Secondary Captures, as the node's does."""
    classes = (ComputedRadiographyImageStorage, CTImageStorage, SecondaryCaptureImageStorage)
    return receiver(port, answer, sop_classes=classes)


def image(study: str, **attributes: Any) -> Dataset:
    """A small radiograph with a UID of its own."""
    return radiograph(generate_uid(prefix=None), study=study, **attributes)


def as_file(dataset: Dataset) -> bytes:
    """The object as a DICOM file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def put(orthanc: Orthanc, *datasets: Dataset) -> str:
    """Orthanc's own identifier of the study that the objects are put into."""
    for dataset in datasets:
        instance = orthanc.upload_bytes(as_file(dataset))
    return str(orthanc.get(f"/instances/{instance}/study")["ID"])


def store(orthanc: Orthanc, folder: Path, *, calling: str) -> None:
    """Sends a folder's files to Orthanc with DCMTK's storescu."""
    subprocess.run(
        [
            *(dcmtk("storescu"), "-aet", calling, "-aec", "ORTHANC", "+sd"),
            *("127.0.0.1", str(orthanc.dicom_port), str(folder)),
        ],
        check=True,
        timeout=60,
        env={**os.environ, "TCP_NODELAY": "1"},
    )


def mark_of(orthanc: Orthanc, study: str) -> dict[str, Any]:
    """The plug-in's mark of a study; empty where there is none."""
    metadata = orthanc.get(f"/studies/{study}/metadata?expand")
    kept = metadata.get(str(MARK)) or metadata.get(MARK_NAME, "{}")
    found: dict[str, Any] = json.loads(kept)
    return found


def wait_until_sent(orthanc: Orthanc, studies: Sequence[str], timeout_s: float = 30.0) -> None:
    """Waits until all of the studies are marked as sent."""
    wait_until(
        lambda: all(mark_of(orthanc, study).get("state") == "sent" for study in studies),
        lambda: f"{len(studies)} studies to be sent; the plug-in says {status(orthanc)}",
        timeout_s,
    )


def wait_until_idle(orthanc: Orthanc) -> None:
    """Waits until all studies are stable, and the plug-in has nothing left to do.

    It is told of a stable study a moment after Orthanc calls it so: whoever waits for a study to be
    sent waits for that first.
    """

    def idle() -> bool:
        stable = all(study["IsStable"] for study in orthanc.get("/studies?expand"))
        forwarding = status(orthanc)["forwarding"]  # afterwards: of a study that became stable
        left = [forwarding[state] for state in ("waiting", "sending", "failed")]
        return stable and not any(left)

    wait_until(idle, "the plug-in to have nothing to do")


def status(orthanc: Orthanc) -> Any:
    """What the plug-in tells of itself."""
    return orthanc.get("/likeness/status")


def new_uid() -> str:
    """A Study Instance UID."""
    return str(generate_uid(prefix=None))


class Probe:
    """Asks Orthanc for /system without end, and keeps the longest time it took, in seconds."""

    def __init__(self, orthanc: Orthanc) -> None:
        self._orthanc = orthanc
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.longest = 0.0
        self.asked = 0

    def __enter__(self) -> "Probe":
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            began = perf_counter()
            self._orthanc.ask("GET", "/system")
            self.longest = max(self.longest, perf_counter() - began)
            self.asked += 1

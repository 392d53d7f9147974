"""Archives that images are fetched from: DCMTK's dcmqrscp, filled by files, beside Orthanc."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.retrieving.retriever import WantedInstance
from dicom_node.scu import SendError, echo
from tests.conftest import find_free_port
from tests.dicom_node.receivers import OURS, peer_at
from tests.waiting import wait_until

DCMQRSCP, DCMQRIDX = Path("/usr/bin/dcmqrscp"), Path("/usr/bin/dcmqridx")
ARCHIVE = "ARCHIVE"

_CONFIGURATION = """\
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
ours = ({ours}, 127.0.0.1, {our_port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{archive} {storage} RW (200, 1024mb) ANY
AETable END
"""


def wanted_in(path: Path) -> WantedInstance:
    """The instance that a file holds."""
    dataset = dcmread(path, stop_before_pixels=True)
    return WantedInstance(
        study_instance_uid=dataset.StudyInstanceUID,
        series_instance_uid=dataset.SeriesInstanceUID,
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
    )


@contextmanager
def dcmqrscp(
    folder: Path, files: Sequence[Path], *, port: int = 0, our_port: int = 1
) -> Iterator[int]:
    """DCMTK's archive with these files in it, AE title ARCHIVE; yields its port.

    It moves to LIKENESS at ``our_port``. The test is left out where it is not installed.
    """
    if not (DCMQRSCP.exists() and DCMQRIDX.exists()):
        pytest.skip(f"left out: {DCMQRSCP} is not installed (package dcmtk)")
    storage, port = folder / "archive", port or find_free_port()
    storage.mkdir(parents=True)
    for file in files:
        (storage / file.name).write_bytes(file.read_bytes())
    subprocess.run([DCMQRIDX, storage, *storage.iterdir()], check=True, capture_output=True)
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        _CONFIGURATION.format(
            port=port, ours=OURS, our_port=our_port, archive=ARCHIVE, storage=storage
        )
    )
    with (folder / "dcmqrscp.log").open("w") as log:
        process = subprocess.Popen(
            [DCMQRSCP, "-v", "-c", configuration],
            stdout=log,
            stderr=log,
            env={**os.environ, "TCP_NODELAY": "1"},
            start_new_session=True,  # it forks for each association
        )
    try:
        wait_until(lambda: _answers(port), "dcmqrscp to answer", 20)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    try:
        echo(peer_at(port, ae_title=ARCHIVE), calling_ae=OURS)
    except SendError:
        return False
    return True

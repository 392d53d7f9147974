"""Four SCUs that others wrote, each with one call: C-ECHO or C-STORE, plain or over TLS."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pydicom
import pytest

from dicom_node.scu import SendError
from dicom_node.settings import DicomSettings, TlsSettings
from dicom_node.store_sender import StoreSender
from tests.conftest import find_free_port
from tests.dicom_node.certificates import Identity
from tests.end_to_end.orthanc import orthanc_in
from tests.end_to_end.running import dcmtk
from tests.waiting import wait_until

ADDRESS = "127.0.0.1"
GDCMSCU = Path("/usr/bin/gdcmscu")
STUNNEL = Path("/usr/bin/stunnel4")
SENT_BY_GDCM = "was successful"
ECHOED_TO_GDCM = "(US) 32816"
"""Command Field 8030H, C-ECHO-RSP (PS3.7 E.1)."""


@dataclass(frozen=True)
class Call:
    """Whom a client calls and as whom; over TLS if it ``trusted`` an authority."""

    port: int
    calling: str
    called: str = "LIKENESS"
    trusted: Path | None = None
    own: Identity | None = None


class Client(Protocol):
    """``path`` is the file to store; None asks for C-ECHO. True if the client saw Success."""

    def __call__(self, call: Call, folder: Path, path: Path | None) -> bool: ...


def _run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "TCP_NODELAY": "1"},
    )


def by_dcmtk(call: Call, folder: Path, path: Path | None) -> bool:
    """``storescu`` and ``echoscu``."""
    tls: list[str] = []
    if call.trusted is not None:
        tls = ["+tla"] if call.own is None else ["+tls", *map(str, _key_first(call.own))]
        tls += ["+cf", str(call.trusted)]
    program = dcmtk("echoscu" if path is None else "storescu")
    names = ("-aet", call.calling, "-aec", call.called)
    files = () if path is None else (str(path),)
    return _run([program, *tls, *names, ADDRESS, str(call.port), *files]).returncode == 0


def _key_first(own: Identity) -> tuple[Path, Path]:
    return own.key, own.certificate


def by_gdcm(call: Call, folder: Path, path: Path | None) -> bool:
    """``gdcmscu``, which speaks no TLS: sites put stunnel before it.

    Its exit status says nothing (3.0.21 aborts whenever an association is released): what it
    writes does.
    """
    if not GDCMSCU.exists():
        pytest.skip(f"left out: {GDCMSCU} is not installed (package libgdcm-tools)")
    if call.trusted is not None:
        with _stunnel(call, folder) as port:
            return by_gdcm(Call(port, call.calling, call.called), folder, path)
    what = ("--echo",) if path is None else ("--store", "-i", str(path))
    names = ("--aetitle", call.calling, "--call", call.called)
    done = _run([str(GDCMSCU), "-D", *what[:1], ADDRESS, str(call.port), *names, *what[1:]])
    said = done.stdout + done.stderr
    return (ECHOED_TO_GDCM if path is None else SENT_BY_GDCM) in said


@contextmanager
def _stunnel(call: Call, folder: Path) -> Iterator[int]:
    """A plain port that leads to the node's TLS port."""
    if not STUNNEL.exists():
        pytest.skip(f"left out: {STUNNEL} is not installed (package stunnel4)")
    port, log = find_free_port(), folder / "stunnel.log"
    own = "" if call.own is None else f"cert = {call.own.certificate}\nkey = {call.own.key}\n"
    settings = folder / "stunnel.conf"
    settings.write_text(
        f"foreground = yes\npid =\n[node]\nclient = yes\naccept = {ADDRESS}:{port}\n"
        f"connect = {ADDRESS}:{call.port}\nverifyChain = yes\nCAfile = {call.trusted}\n{own}"
    )
    with log.open("w") as said:
        process = subprocess.Popen([str(STUNNEL), str(settings)], stdout=said, stderr=said)
    try:
        wait_until(lambda: "Configuration successful" in log.read_text(), "stunnel to listen", 20)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def by_orthanc(call: Call, folder: Path, path: Path | None) -> bool:
    """Orthanc's REST interface: upload, then send it on."""
    over_tls = call.trusted is not None
    with orthanc_in(folder / "orthanc", own=call.own, trusted=call.trusted) as orthanc:
        orthanc.add_modality(
            "likeness",
            AET=call.called,
            Host=ADDRESS,
            Port=call.port,
            LocalAet=call.calling,
            UseDicomTls=over_tls,
        )
        if path is None:
            return orthanc.ask("POST", "/modalities/likeness/echo", b"{}")[0] == 200
        stored = orthanc.upload(path).encode()
        return orthanc.ask("POST", "/modalities/likeness/store", stored)[0] == 200


def by_pynetdicom(call: Call, folder: Path, path: Path | None) -> bool:
    """pynetdicom, as ``StoreSender`` drives it."""
    tls = None
    if call.trusted is not None:
        own = {} if call.own is None else {"certificate": call.own.certificate, "key": call.own.key}
        # the port is told apart: one in [tls] asks for a certificate of ours
        tls = TlsSettings(trusted=call.trusted, **own).model_copy(update={"port": call.port})
    settings = DicomSettings(ae_title=call.called, port=call.port)
    sender = StoreSender(settings, calling_ae=call.calling, tls=tls)
    try:
        with sender.association() as association:
            association.send([] if path is None else [pydicom.dcmread(path)])
    except SendError:
        return False
    return True


CLIENTS: dict[str, Client] = {
    "DCMTK": by_dcmtk,
    "GDCM": by_gdcm,
    "ORTHANC": by_orthanc,
    "PYNETDICOM": by_pynetdicom,
}
"""By the AE titles that they call with."""

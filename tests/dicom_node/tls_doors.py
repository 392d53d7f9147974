"""Doors with TLS: of one connection for ``openssl s_client`` to judge, and DCMTK's storescp."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.settings import TlsSettings
from dicom_node.tls_faults import handshake_fault
from tests.dicom_node.certificates import Identity
from tests.dicom_node.receivers import STORESCP
from tests.waiting import wait_until

WAIT_S = 10.0


@dataclass
class TlsDoor:
    """Where it listens, and why the handshake failed, if it did, once the block has ended."""

    port: int
    fault: str | None = None


def settings_with(own: Identity | None, trusted: Identity | None, **changes: object) -> TlsSettings:
    """The section [tls] with these files."""
    files = {
        "certificate": own and own.certificate,
        "key": own and own.key,
        "trusted": trusted and trusted.certificate,
    }
    return TlsSettings.model_validate({**files, **changes})


@contextmanager
def tls_door(context: ssl.SSLContext, greeting: bytes = b"") -> Iterator[TlsDoor]:
    """Takes one connection, greets whoever completes the handshake, and reads until the end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        door = TlsDoor(listener.getsockname()[1])
        listener.settimeout(WAIT_S)
        thread = threading.Thread(target=_take_one, args=(listener, context, door, greeting))
        thread.start()
        try:
            yield door
        finally:
            thread.join()


def _take_one(
    listener: socket.socket, context: ssl.SSLContext, door: TlsDoor, greeting: bytes
) -> None:
    connection, _ = listener.accept()
    connection.settimeout(WAIT_S)
    with connection:
        try:
            secured = context.wrap_socket(connection, server_side=True)
        except OSError as fault:
            door.fault = handshake_fault(fault)
            return
        # the caller may leave in any way it likes once it has been greeted
        with secured, suppress(OSError):
            secured.sendall(greeting)
            while secured.recv(100):
                pass


def s_client(
    door: TlsDoor, *options: str, own: Identity | None, says: str = "Q\n"
) -> "subprocess.CompletedProcess[str]":
    """Calls the door with OpenSSL's client: ``returncode`` 0 where the handshake succeeds."""
    shown: Sequence[str] = ()
    if own is not None:
        shown = ("-cert", str(own.certificate), "-key", str(own.key))
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{door.port}", *shown, *options],
        input=says,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


@contextmanager
def storescp_over_tls(port: int, folder: Path, own: Identity, trusted: Identity) -> Iterator[Path]:
    """DCMTK's storescp, which wants a certificate of whoever calls."""
    files = ("+tls", str(own.key), str(own.certificate), "+cf", str(trusted.certificate))
    log = folder.parent / "storescp.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [str(STORESCP), "-v", "-aet", "PACS", "-od", str(folder), *files, str(port)],
            stdout=said,
            stderr=said,
        )
    try:
        wait_until(lambda: f":{port:04X} 00000000:0000 0A" in _listeners(), "storescp to listen")
        yield folder
    finally:
        process.terminate()
        process.wait()


def _listeners() -> str:
    return Path("/proc/net/tcp").read_text()

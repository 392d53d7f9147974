"""pynetdicom with as little around it as can be: ``benchmarks.bare_receiver PORT FOLDER``."""

import socket
import sys
from itertools import count
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    Verification,
)


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    numbers = count()

    def store(event: Event) -> int:
        (folder / f"{next(numbers)}.dcm").write_bytes(event.encoded_dataset())
        return 0x0000

    def no_delay(event: Event) -> None:
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    ae = AE(ae_title="BARE")
    ae.maximum_pdu_size = 0
    for uid in (Verification, CTImageStorage, DigitalXRayImageStorageForPresentation):
        ae.add_supported_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_CONN_OPEN, no_delay)]
    ae.start_server(("127.0.0.1", port), evt_handlers=handlers)


if __name__ == "__main__":
    main()

"""Headers read in a process of their own: parsing neither stalls receiving nor takes it down."""

from datetime import datetime
from pathlib import Path

from dicom_node.received import UnreadableError
from encoders.bounded_child import RefusedError
from encoders.bounded_process import BoundedProcess
from storage.received import ReceivedInstance


class HeaderReader(BoundedProcess):
    """Does what ``dicom_node.received.read_received`` does, in a child process.

    Use it as a context manager, from one thread.
    """

    def __init__(self) -> None:
        super().__init__("dicom_node.header_process")

    def read(self, path: Path, name: str) -> ReceivedInstance:
        """Reads a spooled file's header, without its pixels.

        Raises:
            UnreadableError: as ``read_received``, or it went over a limit.
            ChildProcessError: as for ``BoundedProcess.ask``.
        """
        try:
            said, _ = self.ask([str(path), name], about=path)
        except RefusedError as fault:
            raise UnreadableError(str(fault)) from fault
        received_at = datetime.fromisoformat(said.pop("received_at"))
        return ReceivedInstance(**said, received_at=received_at)

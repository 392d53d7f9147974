"""Files and folders into the archive, the same way as C-STORE from the spool on."""

from collections import Counter
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dicom_node.header_reader import HeaderReader
from dicom_node.received import MALFORMED, UnreadableError, maker_of
from dicom_node.report.own import is_own_report
from dicom_node.spool import Spool, file_meta
from dicom_node.surplus_files import remove_surplus_files
from storage import studies
from storage.database import is_outage, refusal
from storage.received import ReceivedInstance
from storage.studies import Recorded


def files_under(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, in order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(entry for entry in path.rglob("*") if entry.is_file())
        else:
            yield path


class Ingest:
    """Takes in files one by one, and closes their studies at the end."""

    def __init__(self, engine: Engine, spool: Spool, headers: HeaderReader, *, node: str) -> None:
        self._engine = engine
        self._spool = spool
        self._headers = headers
        self._node = node
        self._touched: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        """How many files were new, identical, replaced, restored, our own reports, or refused."""

    def take(self, path: Path) -> str | None:
        """Takes in one file; returns why it was refused, None if it was not."""
        try:
            name = self._spooled(path)
        except UnreadableError as fault:
            self.outcomes["refused"] += 1
            return f"{path}: {fault}"
        try:
            self._take_in(self._headers.read(self._spool.path(name), name))
        except UnreadableError as fault:
            reason = str(fault)
        except DBAPIError as fault:
            if is_outage(fault):
                raise
            reason = refusal(fault)
        else:
            return None
        self._spool.quarantine(name, reason)
        self.outcomes["refused"] += 1
        return f"{path}: quarantined: {reason}"

    def _take_in(self, received: ReceivedInstance) -> None:
        if is_own_report(maker_of(received), self._node):
            self._spool.remove(received.spool_name)
            self.outcomes["our own report"] += 1
            return
        with self._engine.begin() as connection:
            recorded = studies.record(connection, received, received_by=self._node)
        if recorded is not Recorded.NEW:
            remove_surplus_files(self._engine, self._spool, node=self._node)
        self.outcomes[recorded.value] += 1
        self._touched.add(received.study_instance_uid)

    def _spooled(self, path: Path) -> str:
        try:
            content = path.read_bytes()
            meta, start = _file_meta_of(content)
            return self._spool.put(_our_meta(meta), memoryview(content)[start:])
        except OSError as fault:
            raise UnreadableError(f"cannot be taken in: {fault.strerror}") from fault
        except MALFORMED as fault:
            raise UnreadableError(f"not readable as DICOM: {fault}") from fault

    def close_studies(self) -> int:
        """Closes the studies that got new images, so that a worker takes them up at once."""
        with self._engine.begin() as connection:
            return sum(studies.close_now(connection, uid) for uid in sorted(self._touched))


def _our_meta(meta: Dataset) -> bytes:
    return file_meta(
        sop_class_uid=meta.MediaStorageSOPClassUID,
        sop_instance_uid=meta.MediaStorageSOPInstanceUID,
        transfer_syntax_uid=meta.TransferSyntaxUID,
        calling_ae=str(meta.get("SourceApplicationEntityTitle", "")),
    )


def _file_meta_of(content: bytes) -> tuple[Dataset, int]:
    """The File Meta Information (PS3.10 7.1), and where the data set behind it begins."""
    buffer = BytesIO(content)
    read_preamble(buffer, force=False)
    meta = read_dataset(
        buffer,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag.group != 2,
    )
    return meta, buffer.tell()

"""An instance that was fetched: written as it came, and checked to be the one that was wanted."""

import mmap
import secrets
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from dicom_node.instance_uids import InstanceUIDs, UnidentifiedError, read_instance_uids
from dicom_node.part10 import data_set_start
from dicom_node.retrieving.retriever import RetrieveError, WantedInstance
from encoders.elements import READ_ERRORS, explain


def new_file(folder: Path) -> Path:
    """A path in ``folder`` that nobody has yet: the network's UIDs name no file."""
    return folder / f"{secrets.token_hex(8)}.dcm"


def checked(path: Path, wanted: WantedInstance, who: str) -> Path:
    """The path of a file that holds the wanted instance; any other file is removed.

    Raises:
        RetrieveError: it is no DICOM file, is malformed, or holds another instance.
    """
    try:
        uids = _uids(path)
        if (uids.sop_instance, uids.sop_class) != (wanted.sop_instance_uid, wanted.sop_class_uid):
            found = f"{uids.sop_instance} of SOP class {uids.sop_class}"
            raise RetrieveError(f"{who}: gave another instance than it was asked for: {found}")
    except RetrieveError:
        path.unlink()
        raise
    except (UnidentifiedError, *READ_ERRORS) as fault:
        path.unlink()
        raise RetrieveError(
            f"{who}: what it gave is not readable as DICOM ({explain(fault)})"
        ) from fault
    return path


def _uids(path: Path) -> InstanceUIDs:
    start = data_set_start(path)
    syntax = str(read_file_meta_info(path).TransferSyntaxUID)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return read_instance_uids(data, start, syntax)

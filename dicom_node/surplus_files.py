"""Removes from the disk the files that ``storage.surplus`` names."""

from pathlib import Path

from sqlalchemy import Engine

from dicom_node.spool import Spool
from storage import surplus
from storage.durable import sync_folder


def remove_surplus_files(engine: Engine, spool: Spool, *, node: str) -> int:
    """Removes this node's surplus files, then their names; returns how many.

    May run in several threads and processes at once.

    Raises:
        OSError: the disk cannot be written; the names stay for the next time.
    """
    with engine.connect() as connection:
        names = surplus.names_of(connection, node=node)
    if not names:
        return 0
    for name in names:
        spool.remove(name)
    # else a power cut could bring a file back whose name is already forgotten here
    for folder in {spool.path(name).parent for name in names}:
        _sync(folder)
    with engine.begin() as connection:
        surplus.forget(connection, names)
    return len(names)


def _sync(folder: Path) -> None:
    try:
        sync_folder(folder)
    except FileNotFoundError:  # removed meanwhile, with all that was in it
        sync_folder(folder.parent)

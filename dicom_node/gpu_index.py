"""The index in a file, searched on a GPU: the file's rows there, what came since on the CPU."""

import logging
import threading
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.own_index import OwnIndex
from storage.answer import SpaceSummary
from storage.index import VectorIndex
from storage.index_reader import SnapshotReader
from storage.searchable import Searchable
from storage.vectors.base import Base
from storage.vectors.engine import Engine
from storage.vectors.gpu import GpuEngine, NoGpuError, must_have_gpu

log = logging.getLogger(__name__)


class _OnGpu:
    """Puts a file's rows on the GPU once, and has them searched there."""

    def __init__(self) -> None:
        self._alone = threading.Lock()
        self._of: Base | None = None
        self._engine: Engine | None = None

    def __call__(self, index: Searchable) -> Searchable:
        return index.searched_by(self._engine_of) if isinstance(index, VectorIndex) else index

    def _engine_of(self, file: Base) -> Engine:
        with self._alone:
            if self._engine is None or self._of is not file:
                self._engine = None  # never two files' rows there
                self._of = file
                try:
                    self._engine = GpuEngine(file)
                except NoGpuError as fault:
                    log.error("the CPU searches, with the same answers, for %s", fault)
                    self._engine = file.exact
            return self._engine


class OwnIndexOnGpu(OwnIndex):
    """``OwnIndex``, searched on a GPU.

    Raises:
        NoGpuError: FAISS has none.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        must_have_gpu()
        self._on_gpu = _OnGpu()
        super().__init__(*arguments, **more)

    def now(self, connection: Connection) -> Searchable:
        """See ``OwnIndex``."""
        return self._on_gpu(super().now(connection))


class SnapshotReaderOnGpu(SnapshotReader):
    """``SnapshotReader``, searched on a GPU.

    Raises:
        NoGpuError: FAISS has none.
    """

    def __init__(self, path: Path, space: SpaceSummary) -> None:
        must_have_gpu()
        self._on_gpu = _OnGpu()
        super().__init__(path, space)

    def now(self, connection: Connection) -> Searchable:
        """See ``SnapshotReader``."""
        return self._on_gpu(super().now(connection))

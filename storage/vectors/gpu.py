"""Exact search on a GPU, by FAISS: one copy of a base's rows in the GPU's memory.

FAISS's resources and indexes on a GPU are not safe even for searches side by side (its wiki,
"Threads and asynchronous calls"), so that one search at a time is on the GPU.
"""

import threading

import numpy as np

from storage.vectors.base import Base
from storage.vectors.engine import NO_ROW, Rows, Shortlist
from storage.vectors.flat import FlatEngine, least_left_out, longest
from storage.vectors.metric import Metric, Vectors
from storage.vectors.untyped import faiss

MOST_ROWS = 2048
"""FAISS's longest list from a GPU."""


class NoGpuError(Exception):
    """There is no searching on a GPU here; the message says why and what to do."""


def must_have_gpu() -> None:
    """Raises NoGpuError where FAISS is not built for GPUs, or sees none."""
    if not hasattr(faiss, "StandardGpuResources"):
        raise NoGpuError(
            "index.device = 'cuda' needs FAISS built for GPUs: install faiss-gpu in the place of "
            "faiss-cpu, or set index.device = 'cpu'"
        )
    if faiss.get_num_gpus() < 1:
        raise NoGpuError("index.device = 'cuda', and FAISS sees no GPU; set index.device = 'cpu'")


class GpuEngine:
    """Looks at every row on a GPU; where a filter leaves few, or much is asked for, on the CPU.

    Args:
        base: whose rows are copied there.
        device: number of the GPU.

    Raises:
        NoGpuError: there is none, or its memory does not hold the rows.
    """

    def __init__(self, base: Base, device: int = 0) -> None:
        must_have_gpu()
        self._exact: FlatEngine = base.exact
        self._metric: Metric = base.about.metric
        self._longest = longest(base.rows, self._metric)
        self._alone = threading.Lock()
        self._resources = faiss.StandardGpuResources()
        try:
            self._index = faiss.index_cpu_to_gpu(self._resources, device, base.exact.faiss)
        except RuntimeError as fault:
            raise NoGpuError(
                f"the vectors do not fit on GPU {device} ({str(fault).splitlines()[0]}); "
                "set index.device = 'cpu'"
            ) from fault

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """See ``Engine``."""
        # FAISS takes no choice of rows on a GPU: those that may not be found come on top
        wanted = k if only is None else k + only.of - only.count
        if self._metric is Metric.HAMMING or wanted > MOST_ROWS:
            return self._exact.shortlist(queries, k, only)
        with self._alone:
            values, rows = self._index.search(queries, wanted)
        if only is not None:
            chosen = np.unpackbits(only.bits, count=only.of, bitorder="little").astype(np.bool_)
            rows = np.where(chosen[rows], rows, NO_ROW)
        last = values[:, -1].astype(np.float64)
        scores = last if self._metric is Metric.L2 else -last
        return Shortlist(rows, least_left_out(self._metric, queries, self._longest, scores))

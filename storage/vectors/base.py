"""The part of an index that never changes: rows by id in a mapped file, and what finds them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from storage.durable import sync_folder
from storage.vectors import sections
from storage.vectors.approximate import PROMISED_RECALL, Progress, Tuned, build, opened, quietly
from storage.vectors.choice import EXACT, Choice
from storage.vectors.engine import Engine
from storage.vectors.flat import FlatEngine, flat_head
from storage.vectors.metric import Metric, Vectors
from storage.vectors.sections import Bytes, SectionsError

log = logging.getLogger(__name__)

FORMAT = "likeness-index-2"
_FIRST_ROW = 64
"""Where the rows begin in their section, so that they lie as processors like it."""


class SnapshotError(Exception):
    """A snapshot that must not be trusted; the message says why."""


@dataclass(frozen=True)
class About:
    """What a base is of.

    Attributes:
        space_id: the space whose vectors these are.
        dimension: of a vector.
        metric: of the space.
        count: how many vectors.
        watermark: the last change of the space that it holds.
        choice: the engine that was built.
        tuned: what was found out then; None of exact search in single precision.
    """

    space_id: str
    dimension: int
    metric: Metric
    count: int
    watermark: int
    choice: Choice = EXACT
    tuned: Tuned | None = None

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Self:
        """From a file's head.

        Raises:
            ValueError, TypeError, KeyError: it is none of this version.
        """
        if said.get("format") != FORMAT:
            raise ValueError(f"its format is {said.get('format')!r}, this version reads {FORMAT!r}")
        fields = {name: value for name, value in said.items() if name != "format"}
        fields["metric"] = Metric(fields["metric"])
        fields["choice"] = Choice.parse(fields["choice"])
        fields["tuned"] = fields["tuned"] and Tuned(**fields["tuned"])
        return cls(**fields)


@dataclass(frozen=True)
class Base:
    """Vectors in a mapped file.

    Attributes:
        about: what they are of.
        ids: ascending, int64 of shape (count,).
        rows: their vectors, shape (count, width).
        exact: searches the rows.
        engine: that was chosen; ``exact``, or one that is quicker.
    """

    about: About
    ids: NDArray[np.int64]
    rows: Vectors
    exact: FlatEngine
    engine: Engine


def being_built(path: Path) -> Path:
    """Where the rows of a base lie while an engine is built over them."""
    return path.with_name(f"{path.name}.building")


def write(
    path: Path,
    about: About,
    ids: NDArray[np.int64],
    rows: Iterable[Vectors],
    progress: Progress = quietly,
) -> None:
    """Writes a base with the engine that ``about`` chooses; exact where that finds too few.

    Args:
        path: of the file.
        about: what it is of; ``tuned`` is found out here.
        ids: ascending, shape (about.count,).
        rows: the vectors in that order, some at a time.
        progress: told how far an engine is built.

    Raises:
        OSError: as ``sections.write``; an older file stays as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if about.choice == EXACT or not about.count:
        _write(path, replace(about, choice=EXACT), ids, rows, {})
        return
    plain = being_built(path)
    try:
        _write(plain, replace(about, choice=EXACT), ids, rows, {})
        base = load(plain)
        tuned, file = build(about.choice, base.rows, about.metric, base.exact, progress)
        if tuned.recall < PROMISED_RECALL:
            log.error(
                "index %s finds only %.1f %% of the ten nearest vectors of this archive at its "
                "widest: exact search is used; set index.engine = 'exact', or another precision",
                about.choice,
                100 * tuned.recall,
            )
            plain.replace(path)
            sync_folder(path.parent)
            return
        log.info("index %s built: %s", about.choice, tuned)
        _write(path, replace(about, tuned=tuned), ids, [base.rows], {"engine": [file]})
    finally:
        plain.unlink(missing_ok=True)


def _write(
    path: Path,
    about: About,
    ids: NDArray[np.int64],
    rows: Iterable[Vectors],
    more: Mapping[str, Iterable[Bytes]],
) -> None:
    head = flat_head(about.metric, about.metric.width(about.dimension), about.count)

    def flat_file() -> Iterator[Bytes]:
        yield np.zeros(_FIRST_ROW - len(head), np.uint8)
        yield np.frombuffer(head, np.uint8)
        for part in rows:
            yield part.reshape(-1).view(np.uint8)

    said = {"format": FORMAT, **asdict(about), "choice": str(about.choice)}
    sections.write(path, said, {"ids": [ids.view(np.uint8)], "rows": flat_file(), **more})


def load(path: Path) -> Base:
    """The base in a file.

    Raises:
        SnapshotError: it is altered, cut short, or of another format.
        FileNotFoundError: there is none.
    """
    try:
        said, parts = sections.read(path)
        return _base(About.parse(said), parts)
    except (SectionsError, ValueError, TypeError, KeyError, RuntimeError) as fault:
        raise SnapshotError(str(fault)) from fault


def _base(about: About, parts: Mapping[str, Bytes]) -> Base:
    width = about.metric.width(about.dimension)
    head = len(flat_head(about.metric, width, about.count))
    ids = parts["ids"].view(np.int64)
    if len(ids) != about.count or np.any(ids[1:] <= ids[:-1]):
        raise ValueError(f"its {len(ids)} ids are not those of {about.count} vectors")
    rows = parts["rows"][_FIRST_ROW:].view(about.metric.dtype).reshape(about.count, width)
    exact = FlatEngine(parts["rows"][_FIRST_ROW - head :], rows, about.metric)
    if about.tuned is None:
        return Base(about, ids, rows, exact, exact)
    engine = opened(about.choice, about.tuned, parts["engine"], exact)
    return Base(about, ids, rows, exact, engine)

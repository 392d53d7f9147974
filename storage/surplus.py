"""Files of the spool that no instance needs: named here before the disk forgets them.

A name is written in the transaction that makes its file surplus, the file is removed after that
has committed, and the row after that. Killed at any step, a node finds the names here again and
removes the files, instead of taking them for instances that it has not recorded.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.tables import Instance, Series, Study, SurplusFile

SETTLED = ("indexed", "answered")
BATCH_ROWS = 1000


def add(connection: Connection, files: Sequence[tuple[str, str]]) -> None:
    """Names files as surplus, each as (spool name, device UID of the node that has it)."""
    if files:
        connection.execute(
            upsert(SurplusFile).on_conflict_do_nothing(),
            [{"spool_name": name, "node": node} for name, node in files],
        )


def names_of(connection: Connection, *, node: str) -> list[str]:
    """The names of a node's surplus files."""
    rows = connection.execute(select(SurplusFile.spool_name).where(SurplusFile.node == node))
    return sorted(rows.scalars())


def among(connection: Connection, spool_names: Collection[str]) -> set[str]:
    """Those of ``spool_names`` that are surplus."""
    rows = connection.execute(
        select(SurplusFile.spool_name).where(SurplusFile.spool_name == func.any(list(spool_names)))
    )
    return set(rows.scalars())


def forget(connection: Connection, spool_names: Collection[str]) -> None:
    """Ends surplus files that are durably gone from the disk."""
    connection.execute(
        delete(SurplusFile).where(SurplusFile.spool_name == func.any(list(spool_names)))
    )


def release_settled(connection: Connection, *, node: str, older_than: timedelta) -> int:
    """Makes surplus files of studies indexed or answered so long ago; returns how many.

    Some thousand at a time: call it again until there are none.
    """
    since = case((Study.state == "indexed", Study.indexed_at), else_=Study.closed_at)
    return _release(
        connection,
        _files(node).where(Study.state.in_(SETTLED), since <= func.now() - older_than),
    )


def release_failed(connection: Connection, *, node: str, older_than: timedelta) -> int:
    """The same for studies that failed, counted from when they closed."""
    return _release(
        connection,
        _files(node).where(Study.state == "failed", Study.closed_at <= func.now() - older_than),
    )


def release_beyond(connection: Connection, *, node: str, keep_bytes: int) -> int:
    """The same for the oldest settled studies whose files, with all younger ones', exceed that."""
    return _release(connection, _files(node).where(Study.id.in_(_beyond(node, keep_bytes))))


def _beyond(node: str, keep_bytes: int) -> Select[tuple[int]]:
    sizes = (
        select(
            Study.id,
            func.coalesce(Study.indexed_at, Study.closed_at).label("since"),
            func.sum(Instance.size_bytes).label("bytes"),
        )
        .join(Series, Series.study_id == Study.id)
        .join(Instance, Instance.series_id == Series.id)
        .where(*_held_by(node), Study.state.in_(SETTLED))
        .group_by(Study.id)
        .subquery()
    )
    youngest_first = (sizes.c.since.desc(), sizes.c.id.desc())
    running = select(
        sizes.c.id, func.sum(sizes.c.bytes).over(order_by=youngest_first).label("bytes")
    ).subquery()
    return select(running.c.id).where(running.c.bytes > keep_bytes)


def _held_by(node: str) -> tuple[ColumnElement[bool], ...]:
    return Instance.node == node, Instance.spool_name.is_not(None)


def _files(node: str) -> Select[tuple[int, str | None]]:
    return (
        select(Instance.id, Instance.spool_name)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(*_held_by(node))
        .limit(BATCH_ROWS)
        .with_for_update(of=Instance)
        .add_columns(Instance.node)
    )


def _release(connection: Connection, files: Select[tuple[int, str | None]]) -> int:
    rows = connection.execute(files).all()
    add(connection, [(row.spool_name, row.node) for row in rows])
    connection.execute(
        update(Instance)
        .where(Instance.id == func.any([row.id for row in rows]))
        .values(spool_name=None)
    )
    return len(rows)

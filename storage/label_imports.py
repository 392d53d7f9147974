"""Labels taken in, version by version: what a source says now, and what it said before.

An answer sees ``labels`` and nothing else. A word that is replaced or taken back moves to
``superseded_labels``, with the import that superseded it; one that is said again stays as it is,
with the import that first said it. So a source's version n is: what was said up to n and not
superseded by then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import func, insert, select, text
from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.label_files import Step
from storage.label_places import Key
from storage.tables import Label as LabelRow
from storage.tables import LabelImport

AT_ONCE = 5000
_SUPERSEDE = text("""
    WITH gone AS (DELETE FROM labels WHERE id = ANY(:ids) RETURNING *)
    INSERT INTO superseded_labels (id, study_id, series_instance_uid, sop_instance_uid, name,
        value, code, scheme, import_id, created_at, superseded_by)
    SELECT id, study_id, series_instance_uid, sop_instance_uid, name,
        value, code, scheme, import_id, created_at, :by FROM gone
""")


@dataclass(frozen=True)
class Origin:
    """Where labels come from: who says so, by what way (``LABEL_KINDS``), and the file's digest."""

    source: str
    kind: str = "csv"
    sha256: str | None = None


@dataclass(frozen=True)
class Taken:
    """What became of a source's labels.

    ``version`` is the source's last, 0 if it has none; ``said`` counts the labels that came, of
    which ``added`` are new and ``changed`` say other than before. ``dropped`` are said no more.
    """

    source: str
    version: int
    said: int = 0
    added: int = 0
    changed: int = 0
    dropped: int = 0

    @property
    def news(self) -> int:
        """How many words are other than before; without any, no version is made."""
        return self.added + self.changed + self.dropped


def take_in(
    connection: Connection,
    words: Mapping[Key, Label],
    origin: Origin,
    *,
    complete_for: Collection[int] | None = (),
    instead_of: Sequence[str] = (),
    step: Step | None = None,
) -> Taken:
    """Makes ``words`` a source's next version, if they say anything new.

    Args:
        connection: is in a transaction.
        words: what is said, by what it is said of (``storage.label_places``).
        origin: who says it.
        complete_for: rows of the studies of which this is all that the source says, so that what
            it said of them before and does not say again is dropped; None for all studies.
        instead_of: other sources, whose words on these studies are dropped too.
        step: told of labels that were written.
    """
    _alone(connection, {origin.source, *instead_of})
    standing = _standing(connection, origin.source, words, complete_for)
    new = {key: label for key, label in words.items() if standing.get(key, _NEVER)[1] != label}
    changed = [standing[key][0] for key in new if key in standing]
    dropped = [
        row
        for key, (row, _) in standing.items()
        if key not in words and (complete_for is None or key[0] in complete_for)
    ]
    for other in instead_of:
        others = _standing(connection, other, {}, complete_for)
        dropped += [row for row, _ in others.values()]
    version = _last_version(connection, origin.source)
    if not new and not dropped:
        return Taken(origin.source, version, said=len(words))
    made = _made(connection, origin, version + 1, len(words))
    _supersede(connection, [*changed, *dropped], made)
    _write(connection, new, origin.source, made, step)
    return Taken(
        source=origin.source,
        version=version + 1,
        said=len(words),
        added=len(new) - len(changed),
        changed=len(changed),
        dropped=len(dropped),
    )


def remove(connection: Connection, source: str, *, for_good: bool = False) -> Taken:
    """Takes back all that a source says; with ``for_good`` what it ever said is deleted, too.

    What came when, and how much it was, stays known all the same.
    """
    taken = take_in(connection, {}, Origin(source, "removal"), complete_for=None)
    if for_good:
        connection.execute(
            text(
                "DELETE FROM superseded_labels WHERE import_id IN "
                "(SELECT id FROM label_imports WHERE source = :source)"
            ),
            {"source": source},
        )
    return taken


_NEVER: tuple[int, Label | None] = (0, None)


def _alone(connection: Connection, sources: Iterable[str]) -> None:
    """Waits until nobody else writes what these sources say, to the end of the transaction."""
    for source in sorted(sources):
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('labels of ' || :source))"),
            {"source": source},
        )


def _standing(
    connection: Connection,
    source: str,
    words: Mapping[Key, Label],
    complete_for: Collection[int] | None,
) -> dict[Key, tuple[int, Label]]:
    """What a source says now, row and label: of the studies concerned, or of all."""
    wanted = select(
        LabelRow.id,
        LabelRow.study_id,
        LabelRow.series_instance_uid,
        LabelRow.sop_instance_uid,
        LabelRow.name,
        LabelRow.value,
        LabelRow.code,
        LabelRow.scheme,
    ).where(LabelRow.source == source)
    if complete_for is not None:
        studies = {key[0] for key in words} | set(complete_for)
        wanted = wanted.where(LabelRow.study_id == func.any(sorted(studies)))
    return {
        (study, series, instance, name): (row, Label(name, value, code, scheme))
        for row, study, series, instance, name, value, code, scheme in connection.execute(wanted)
    }


def _last_version(connection: Connection, source: str) -> int:
    last = select(func.max(LabelImport.version)).where(LabelImport.source == source)
    return connection.execute(last).scalar_one() or 0


def _made(connection: Connection, origin: Origin, version: int, words: int) -> int:
    made: int = connection.execute(
        insert(LabelImport)
        .values(
            source=origin.source,
            version=version,
            kind=origin.kind,
            sha256=origin.sha256,
            words=words,
        )
        .returning(LabelImport.id)
    ).scalar_one()
    return made


def _supersede(connection: Connection, rows: Sequence[int], made: int) -> None:
    for at in range(0, len(rows), AT_ONCE):
        connection.execute(_SUPERSEDE, {"ids": list(rows[at : at + AT_ONCE]), "by": made})


def _write(
    connection: Connection, new: Mapping[Key, Label], source: str, made: int, step: Step | None
) -> None:
    rows = (
        {
            "study_id": study,
            "series_instance_uid": series,
            "sop_instance_uid": instance,
            "name": name,
            "value": label.value,
            "code": label.code,
            "scheme": label.scheme,
            "source": source,
            "import_id": made,
        }
        for (study, series, instance, name), label in new.items()
    )
    while some := list(islice(rows, AT_ONCE)):
        connection.execute(insert(LabelRow), some)
        if step is not None:
            step(len(some))


def other_versions(connection: Connection, source: str) -> list[str]:
    """Sources that differ from one in nothing but the number at the end, as versions of rules do.

    None for a source that ends in no number behind a blank.
    """
    name, blank, number = source.rpartition(" ")
    if not blank or not number.isdecimal():
        return []
    known = connection.execute(
        select(LabelImport.source)
        .distinct()
        .where(LabelImport.source.regexp_match("^.* [0-9]+$"), LabelImport.source != source)
    ).scalars()
    return sorted(other for other in known if other.rpartition(" ")[0] == name)

"""The embedded images of a space with what is kept of them, and the labels of their studies.

Both are read through a cursor, some thousand rows at a time: an archive has millions. Who wants
images, vectors (``storage.vector_stream``) and labels to agree reads them in one transaction that
is REPEATABLE READ.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from storage.tables import Embedding, Instance, Label, Study

AT_ONCE = 5000


class ArchiveImage(NamedTuple):
    """An embedded image, its study and its patient.

    ``frame`` counts from 1, and is 0 for a single-frame instance. ``age`` is in years.
    ``calling_ae`` is the AE title that sent it, ``scanner`` its manufacturer and model (None too
    where it came before that was kept), ``received_at`` when its study's first image came. What was
    not told is None, or empty.
    """

    embedding_id: int
    study_id: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int
    patient_id: str
    issuer_of_patient_id: str
    sex: str | None
    age: int | None
    modality: str | None
    body_part: str | None
    view: str | None
    laterality: str | None
    calling_ae: str | None
    scanner: str | None
    received_at: datetime


class SaidWord(NamedTuple):
    """A label: the UIDs are empty where it is said of the whole study, or the whole series."""

    study_id: int
    series_instance_uid: str
    sop_instance_uid: str
    name: str
    value: int


def images(connection: Connection, *, space_id: str) -> Iterator[Sequence[ArchiveImage]]:
    """A space's live images in the order of their ids, as ``storage.vector_stream`` has them."""
    wanted = (
        select(
            Embedding.id,
            Embedding.study_id,
            Study.study_instance_uid,
            Embedding.image["series_instance_uid"].astext,
            Embedding.sop_instance_uid,
            Embedding.frame,
            Study.patient_id,
            Study.issuer_of_patient_id,
            Study.sex,
            Study.age,
            *(
                Embedding.image[name].astext
                for name in ("modality", "body_part", "view", "laterality")
            ),
            Instance.calling_ae,
            Instance.header["scanner"].astext,
            Study.first_received_at,
        )
        .join(Study, Study.id == Embedding.study_id)
        # an image that was sent again under another study is no instance of this one any more
        .outerjoin(Instance, Instance.sop_instance_uid == Embedding.sop_instance_uid)
        .where(*_live(space_id))
        .order_by(Embedding.id)
        .execution_options(yield_per=AT_ONCE)
    )
    for some in connection.execute(wanted).partitions():
        yield [ArchiveImage(*row) for row in some]


def words(
    connection: Connection,
    *,
    space_id: str,
    sources: Collection[str] = (),
    names: Collection[str] = (),
) -> Iterator[Sequence[SaidWord]]:
    """The labels that stand of the studies with images in a space; of some sources and names."""
    wanted = select(
        Label.study_id,
        Label.series_instance_uid,
        Label.sop_instance_uid,
        Label.name,
        Label.value,
    ).where(Label.study_id.in_(select(Embedding.study_id).where(*_live(space_id))))
    if sources:
        wanted = wanted.where(Label.source.in_(sources))
    if names:
        wanted = wanted.where(Label.name.in_(names))
    rows = connection.execute(wanted.execution_options(yield_per=AT_ONCE))
    for some in rows.partitions():
        yield [SaidWord(*row) for row in some]


def _live(space_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Embedding.space_id == space_id,
        Embedding.retired_at.is_(None),
        Embedding.vector.is_not(None),
    )

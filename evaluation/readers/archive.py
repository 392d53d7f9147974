"""The site's own archive: the images of a vector space, with their vectors and labels.

Images, vectors and labels are of one moment. The attribute ``source`` is the AE title that sent an
image, ``scanner`` the manufacturer and model; images that came before that was kept have none.
"""

from collections.abc import Collection as Names
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from sys import intern
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from evaluation.collection import RECEIVED, Collection
from evaluation.readers.archive_labels import LabelMatrix, label_matrix
from evaluation.readers.cells import age_bands, texts
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.patients import patient_of, remarks_on
from evaluation.readers.remarks import remarked
from storage import archive_images, embeddings, label_versions, spaces
from storage.answer import SpaceSummary
from storage.archive_images import ArchiveImage
from storage.label_lines import LabelError
from storage.vector_stream import live_blocks
from storage.vectors.metric import Metric

Vectors = NDArray[Any]
ATTRIBUTES = ("modality", "body_part", "view", "laterality", "sex", "source", "scanner")
OF_TEXT = 5 + len(ATTRIBUTES)
"""Columns of text: the id, patient, study, series and instance of an image, and these."""


@dataclass(frozen=True)
class Archive:
    """What was read.

    Attributes:
        collection: the images in the order of their ids; an image's id is its SOP Instance UID,
            with ``#`` and the frame's number where it is a frame of several.
        vectors: in the same order: float32 of shape (images, dimension), or codes, which are
            uint8 of shape (images, dimension / 8).
        space: that they are of.
        contradictions: by label, of how many studies, series and instances the sources say
            different things; such a label is UNCERTAIN.
    """

    collection: Collection
    vectors: Vectors
    space: SpaceSummary
    contradictions: Mapping[str, int]


def read(
    engine: Engine,
    space_id: str | None = None,
    *,
    sources: Names[str] = (),
    labels: Names[str] = (),
) -> tuple[Collection, Vectors]:
    """The images of a space and their vectors, as ``read_archive``."""
    archive = read_archive(engine, space_id, sources=sources, labels=labels)
    return archive.collection, archive.vectors


def read_archive(
    engine: Engine,
    space_id: str | None = None,
    *,
    sources: Names[str] = (),
    labels: Names[str] = (),
) -> Archive:
    """All live images of a space, with their vectors and their labels.

    A label said of an image goes before one said of its series, and that before one of its study.
    A study without Patient ID is a patient of its own.

    Args:
        engine: on the archive's database.
        space_id: of the space that is wanted; the one that answers where None.
        sources: whose labels count; everybody's where it is empty.
        labels: which labels are wanted; all where it is empty.

    Raises:
        ReaderError: there is no such space, source or label, or no image in the space.
        VectorError: the database holds what is no vector of the space.
        UnreachableError, DBAPIError: it does not answer.
    """
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with closing(frozen.connect()) as connection:
        space = _space(connection, space_id)
        _must_know(connection, sources, labels)
        count = embeddings.live_count(connection, space_id=space.id)
        if not count:
            raise ReaderError(
                f"no image is embedded into {space.id} yet; `likeness encoders status` tells more"
            )
        ids, vectors = _vectors(connection, space, count)
        columns = _columns(connection, space, ids)
        matrix = label_matrix(
            columns.study_ids,
            columns.series,
            columns.instances,
            archive_images.words(connection, space_id=space.id, sources=sources, names=labels),
        )
    found = _collection(space, columns, matrix)
    remarks = (*remarks_on(found.name, found.patients), *matrix.remarks(found.name))
    return Archive(remarked(found, *remarks), vectors, space, matrix.contradictions)


def _space(connection: Connection, space_id: str | None) -> SpaceSummary:
    known = {entry.id: entry.summary for entry in spaces.known(connection)}
    if space_id is None:
        space = spaces.in_use(connection)
        if space is None:
            raise ReaderError("the archive has no vector space yet; `likeness serve` makes one")
        return space
    if space_id not in known:
        raise ReaderError(f"there is no space {space_id}; there are {some(sorted(known))}")
    return known[space_id]


def _must_know(connection: Connection, sources: Names[str], labels: Names[str]) -> None:
    try:
        label_versions.must_know(connection, sources)
    except LabelError as fault:
        raise ReaderError(str(fault)) from fault
    known = label_versions.names(connection, sources) if labels else []
    if missing := sorted(set(labels) - set(known)):
        raise ReaderError(f"nobody says anything of {some(missing)}, but of {some(known)}")


def _vectors(
    connection: Connection, space: SpaceSummary, count: int
) -> tuple[NDArray[np.int64], Vectors]:
    """Ids and vectors, each written to its place as it comes: nothing is held twice."""
    metric = Metric(space.metric)
    ids = np.empty(count, np.int64)
    vectors = np.empty((count, metric.width(space.dimension)), metric.dtype)
    done = 0
    for keys, rows in live_blocks(connection, space.id, space.dimension, metric):
        ids[done : done + len(keys)], vectors[done : done + len(keys)] = keys, rows
        done += len(keys)
    return ids, vectors


@dataclass(frozen=True)
class _Columns:
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    studies: tuple[str, ...]
    study_ids: NDArray[np.int64]
    series: tuple[str, ...]
    instances: tuple[str, ...]
    ages: NDArray[np.float64]
    received: NDArray[np.float64]
    attributes: Mapping[str, NDArray[np.str_]]


def _columns(connection: Connection, space: SpaceSummary, expected: NDArray[np.int64]) -> _Columns:
    """What is kept of each image, in columns; texts that many images share are kept once."""
    told: list[list[str]] = [[] for _ in range(OF_TEXT)]
    study_ids = np.empty(len(expected), np.int64)
    ages, received = np.empty(len(expected)), np.empty(len(expected))
    for block in archive_images.images(connection, space_id=space.id):
        at = slice(len(told[0]), len(told[0]) + len(block))
        if [image.embedding_id for image in block] != expected[at].tolist():
            raise ReaderError("images and vectors do not agree; `likeness verify` tells more")
        study_ids[at] = [image.study_id for image in block]
        ages[at] = [np.nan if image.age is None else image.age for image in block]
        received[at] = [image.received_at.timestamp() for image in block]
        for column, cells in zip(told, zip(*map(_texts_of, block), strict=True), strict=True):
            column.extend(cells)
    ids, patients, studies, series, instances = map(tuple, told[: -len(ATTRIBUTES)])
    attributes = zip(ATTRIBUTES, told[-len(ATTRIBUTES) :], strict=True)
    return _Columns(
        ids=ids,
        patients=patients,
        studies=studies,
        study_ids=study_ids,
        series=series,
        instances=instances,
        ages=ages,
        received=received,
        attributes={name: texts(column) for name, column in attributes},
    )


def _texts_of(image: ArchiveImage) -> tuple[str, ...]:
    uid = image.sop_instance_uid
    return (
        f"{uid}#{image.frame}" if image.frame else uid,
        intern(patient_of(image.patient_id, image.issuer_of_patient_id, image.study_instance_uid)),
        intern(image.study_instance_uid),
        intern(image.series_instance_uid),
        uid,
        *(
            intern(told or "")
            for told in (
                image.modality,
                image.body_part,
                image.view,
                image.laterality,
                image.sex,
                image.calling_ae,
                image.scanner,
            )
        ),
    )


def _collection(space: SpaceSummary, columns: _Columns, matrix: LabelMatrix) -> Collection:
    return Collection(
        name=f"archive, {space.encoder} ({space.id})",
        ids=columns.ids,
        patients=columns.patients,
        label_names=matrix.names,
        states=matrix.states,
        attributes={**columns.attributes, "age_band": age_bands(columns.ages.tolist())},
        numbers={"age": columns.ages, RECEIVED: columns.received},
        studies=columns.studies,
    )

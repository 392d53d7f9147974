"""The patient's other studies, which are no hits: listed apart, the most similar first."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.engine import Connection

from storage import embeddings, studies
from storage.rules import rows
from storage.rules.question import QueryImage, Question
from storage.rules.rows import Found, same_patient, similarity
from storage.tables import Embedding, Study

AT_ONCE = 1000
"""Vectors of the patient's own studies that are held at one time."""


def priors_of(connection: Connection, question: Question) -> tuple[list[Found], int]:
    """The k most similar of the first study's patient's others, and how many there are in all.

    Neither filters nor marks nor further studies of the question touch them. A Patient ID that a
    site gives to everybody, such as "ANON", may have any number of them: of those that are not
    among the k no more is kept in memory than a number.
    """
    best: dict[str, tuple[float, int, QueryImage]] = {}
    for image in question.images:
        for row in _vectors_of_patient(connection, question, image):
            value = similarity(image.vector, np.frombuffer(row.vector, embeddings.VECTOR_DTYPE))
            known = best.get(row.study_instance_uid)
            if known is None or value > known[0]:
                best[row.study_instance_uid] = (value, row.id, image)
    nearest = sorted(best, key=lambda uid: (-best[uid][0], uid))[: question.k]
    chosen = {best[uid][1]: best[uid] for uid in nearest}
    found = connection.execute(rows.with_image().where(Embedding.id.in_(chosen))).all()
    listed = [
        Found(studies.study_record(row), embeddings.image_of(row.image), value, image, value)
        for row in found
        for value, _, image in [chosen[row.embedding_id]]
    ]
    return sorted(listed, key=Found.order), len(best)


def _vectors_of_patient(
    connection: Connection, question: Question, image: QueryImage
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The comparable vectors of the patient's other studies, read some at a time."""
    last = 0
    while True:
        found = connection.execute(
            select(Embedding.id, Study.study_instance_uid, Embedding.vector)
            .join(Study, Study.id == Embedding.study_id)
            .where(*rows.live(question.space.id, image.group), same_patient(question.study))
            .where(Study.study_instance_uid != question.study.study_instance_uid)
            .where(Embedding.id > last)
            .order_by(Embedding.id)
            .limit(AT_ONCE)
        ).all()
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1].id

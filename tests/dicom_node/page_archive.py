"""Archives for the tests of the page: made studies with pictures, good ones and ugly ones."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings, labels, spaces, studies
from storage.answer import ImageReference, Label
from storage.embeddings import NewEmbedding
from storage.labels import LabelLine
from tests.dicom_node.archive_of_made import set_state
from tests.storage.made import NODE, received, row_of, space, unit

QUERY = "1.2.100"
SPACE = space()


@dataclass(frozen=True)
class MadeStudy:
    """A study of one image; ``near`` is its cosine to the query, which has 1.

    ``lateral`` is that of a second image, a LATERAL, to a query's second one.
    ``labels`` are names of what is present, ``uncertain`` and ``absent`` of the rest. ``shape``
    is that of the picture, (rows, columns).
    """

    uid: str
    near: float = 1.0
    lateral: float | None = None
    patient: str | None = None
    sex: str | None = "F"
    age: int | None = 50
    date: str | None = "20260301"
    modality: str = "DX"
    body_part: str | None = "CHEST"
    view: str | None = "PA"
    labels: Sequence[str] = ()
    uncertain: Sequence[str] = ()
    absent: Sequence[str] = ()
    shape: tuple[int, int] = (96, 96)
    picture: bytes | None = None


def good_archive() -> list[MadeStudy]:
    """The query, twelve hits that grow less alike, and two other studies of its patient."""
    hits = [
        MadeStudy(
            f"1.2.{number}",
            near=1 - number / 50,
            sex="FM"[number % 2],
            age=40 + number,
            date=f"202{number % 6}0301",
            modality="CR" if number % 3 == 0 else "DX",
            view="AP" if number % 3 == 0 else "PA",
            labels=("Effusion", "Cardiomegaly")[: 1 + number % 2],
            uncertain=("Atelectasis",) if number == 1 else (),
            absent=("Pneumothorax",),
        )
        for number in range(1, 13)
    ]
    priors = [
        MadeStudy(f"1.3.{number}", near=0.9 - number / 20, patient="THE PATIENT")
        for number in (1, 2)
    ]
    return [MadeStudy(QUERY, patient="THE PATIENT", labels=("Effusion",)), *hits, *priors]


TWO_VIEWS = "1.4.100"


def two_views_archive() -> list[MadeStudy]:
    """A query of two views: the first hit is near by one, the second and the prior by the other."""
    return [
        MadeStudy(TWO_VIEWS, patient="OF TWO VIEWS", lateral=1.0),
        MadeStudy("1.4.1", near=0.99, lateral=0.1),
        MadeStudy("1.4.2", near=0.1, lateral=0.98),
        MadeStudy("1.4.3", near=0.1, lateral=0.97, patient="OF TWO VIEWS"),
    ]


SCRIPT = "<script>alert(1)</script>"
BROKEN_ATTRIBUTE = '"><img src=x onerror=alert(1)>'
RIGHT_TO_LEFT = "\u202eصورة الصدر"
LONG = "endless" * 1429
"""More than 10,000 characters without a space."""


def ugly_archive() -> list[MadeStudy]:
    """What archives hold and nobody expects."""
    strange = MadeStudy(
        "1.2.1", 0.99, body_part=SCRIPT, view=BROKEN_ATTRIBUTE, labels=(SCRIPT, BROKEN_ATTRIBUTE)
    )
    return [
        MadeStudy(QUERY, body_part=RIGHT_TO_LEFT, view=SCRIPT, patient=SCRIPT),
        strange,
        MadeStudy("1.2.2", 0.98, labels=(LONG, RIGHT_TO_LEFT), uncertain=("'quoted' & <b>",)),
        MadeStudy("1.2.3", 0.97, labels=[f"Label number {n}" for n in range(40)]),
        MadeStudy("1.2.4", 0.96, sex=None, age=None, date=None, body_part=None, view=None),
        MadeStudy("1.2.5", 0.95, sex="<b>", age=999, date="not a date", shape=(1, 1)),
        MadeStudy("1.2.6", 0.94, body_part="W" * 3000, shape=(512, 64)),
        MadeStudy("1.2.7", 0.93, shape=(64, 512)),
        MadeStudy("1.2.8", 0.92, picture=b"no picture at all"),
        MadeStudy("1.3.1", 0.9, patient=SCRIPT, labels=(SCRIPT,), body_part=BROKEN_ATTRIBUTE),
    ]


def stored(engine: Engine, made: Sequence[MadeStudy]) -> None:
    """Writes the studies, indexed."""
    with engine.begin() as connection:
        spaces.use(connection, SPACE)
        for study in made:
            add(connection, study)


def add(connection: Connection, made: MadeStudy) -> None:
    """Writes one study, indexed."""
    arrived = replace(
        received(made.uid, f"{made.uid}.1.1", patient=made.patient or f"patient of {made.uid}"),
        modality=made.modality,
        sex=made.sex,
        age=made.age,
        study_date=made.date,
    )
    studies.record(connection, arrived, received_by=NODE)
    row = row_of(connection, made.uid)
    embeddings.replace(connection, space=SPACE, study_id=row, new=_embedded(made))
    labels.store(connection, _labels(made), source="made")
    set_state(connection, made.uid, "indexed", revision=1)


def _embedded(made: MadeStudy) -> list[NewEmbedding]:
    picture, image = made.picture or png(made.shape), _image(made)
    found = [NewEmbedding(image, unit(made.near, _rest(made.near), 0, 0), picture, {})]
    if made.lateral is not None:
        second = replace(image, sop_instance_uid=f"{made.uid}.1.2", view="LATERAL")
        vector = unit(0, 0, made.lateral, _rest(made.lateral))
        found.append(NewEmbedding(second, vector, picture, {}))
    return found


def _rest(near: float) -> float:
    return float(np.sqrt(max(0.0, 1 - near**2)))


def _image(made: MadeStudy) -> ImageReference:
    return ImageReference(
        series_instance_uid=f"{made.uid}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
        sop_instance_uid=f"{made.uid}.1.1",
        frame_number=None,
        modality=made.modality,
        body_part=made.body_part,
        view=made.view,
    )


def _labels(made: MadeStudy) -> list[LabelLine]:
    values = {1: made.labels, -1: made.uncertain, 0: made.absent}
    return [
        LabelLine(made.uid, Label(name, value)) for value, names in values.items() for name in names
    ]


def png(shape: tuple[int, int]) -> bytes:
    """A gray picture with a gradient, so that one side can be told from the other."""
    pixels = np.linspace(30, 220, shape[1]).astype(np.uint8)[np.newaxis].repeat(shape[0], axis=0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()

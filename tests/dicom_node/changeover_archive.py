"""Archives that are to be embedded again: small images that differ, spaces of earlier versions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from dicom_node.changeover.process import Changeover
from dicom_node.making import make_encoder, summary_of
from dicom_node.settings import Settings
from storage import changeover, embeddings, spaces, studies
from storage.answer import SpaceSummary
from storage.changeover import Gap
from storage.embeddings import NewEmbedding
from storage.spaces import KnownSpace, Maker
from tests.dicom_node.objects import radiograph
from tests.dicom_node.worked import WorkedNode
from tests.storage.made import NODE, received, reference, row_of, unit

OLDER = "0" * 16


def study_uid(number: int) -> str:
    """The Study Instance UID of a made study."""
    return f"1.2.826.0.7.{number}"


def image(number: int, **attributes: Any) -> Dataset:
    """A radiograph of a study and a patient of its own, that looks like no other."""
    down, across = np.mgrid[0:64, 0:64]
    waves = 1500 + 700 * np.sin(down / (2 + number % 7)) + 700 * np.cos(across / (1 + number % 11))
    told = {"PatientID": f"P{number}", "PixelData": (waves + number).astype("<u2").tobytes()}
    return radiograph(f"{study_uid(number)}.1.1", study=study_uid(number), **{**told, **attributes})


def work(node: WorkedNode, numbers: Sequence[int], **attributes: Any) -> None:
    """Receives and works made studies."""
    for number in numbers:
        node.receive(image(number, **attributes), "X")
    node.work(*map(study_uid, numbers))


def lay(engine: Engine, settings: Settings, numbers: Sequence[int]) -> list[str]:
    """Made studies in the baseline's space as rows alone, without pixels; returns their UIDs."""
    maker = Maker("baseline")
    space = summary_of(make_encoder(settings, maker).space)
    with engine.begin() as connection:
        spaces.use(connection, space, maker)
        for number in numbers:
            _lay(connection, space, number)
        connection.execute(text("UPDATE studies SET state = 'indexed'"))
    return [study_uid(number) for number in numbers]


def _lay(connection: Connection, space: SpaceSummary, number: int) -> None:
    uid = study_uid(number)
    studies.record(connection, received(uid, f"{uid}.1.1", patient=uid), received_by=NODE)
    vector = unit(*np.random.default_rng(number).normal(size=space.dimension))
    new = NewEmbedding(reference(f"{uid}.1.1"), vector, b"png", {"sha256": "aa"})
    embeddings.replace(connection, space=space, study_id=row_of(connection, uid), new=[new])


def become_older(engine: Engine, maker: Maker | None = None) -> SpaceSummary:
    """Makes the space in use one of an earlier version of its encoder; returns the new one."""
    with engine.begin() as connection:
        known = spaces.known_in_use(connection)
        assert known is not None
        older = replace(known.summary, encoder_version="older", id=OLDER)
        spaces.use(connection, older, maker or known.maker)
        connection.execute(text("UPDATE embeddings SET space_id = :id"), {"id": OLDER})
        connection.execute(text("DELETE FROM spaces WHERE id != :id"), {"id": OLDER})
        return known.summary


def want(engine: Engine, space: SpaceSummary, maker: Maker, *, switch: bool = True) -> None:
    """What ``likeness encoders add`` writes down."""
    with engine.begin() as connection:
        spaces.want(connection, space, maker, switch=switch)


def used(engine: Engine) -> KnownSpace:
    """The space that answers."""
    with engine.connect() as connection:
        found = spaces.known_in_use(connection)
    assert found is not None
    return found


def wanted(engine: Engine) -> KnownSpace | None:
    """The space that is being filled."""
    with engine.connect() as connection:
        return spaces.wanted(connection)


def gap(engine: Engine, wanted_id: str) -> Gap:
    """What a space lacks."""
    in_use = used(engine).id
    with engine.connect() as connection:
        return changeover.gap(connection, in_use=in_use, wanted=wanted_id)


def vectors(engine: Engine, space_id: str, number: int) -> list[bytes]:
    """The vectors of a made study."""
    with engine.connect() as connection:
        study = row_of(connection, study_uid(number))
        stored = embeddings.of_study(connection, space_id=space_id, study_id=study)
    return [entry.vector.tobytes() for entry in stored]


def run_to_its_end(engine: Engine, settings: Settings, *, node: str, rounds: int = 1000) -> None:
    """Fills the wanted space in this process until there is nothing to do at once."""
    paused: list[float] = []
    with Changeover(engine, settings, node=node) as work:
        for _ in range(rounds):
            if not work.round(paused.append) or paused:
                return


def npz(path: Path, numbers: Sequence[int], dimension: int = 4) -> Path:
    """Vectors computed elsewhere, for the images of made studies."""
    keys = [f"{study_uid(number)}.1.1" for number in numbers]
    made = np.random.default_rng(len(keys)).normal(size=(len(keys), dimension))
    np.savez(path, keys=np.array(keys), vectors=made.astype(np.float32))
    return path

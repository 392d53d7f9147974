"""The pictures of one study's images."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import Connection

from storage.tables import Embedding


@dataclass(frozen=True)
class StudyPicture:
    """A PNG file (8-bit gray, at most 512 px) and the image that it shows.

    ``frame`` counts from 1 and is None for a single-frame instance.
    """

    sop_instance_uid: str
    frame: int | None
    png: bytes


def of_study(
    connection: Connection,
    study_id: int,
    *,
    space_id: str,
    sop_instance_uid: str | None = None,
    frame: int | None = None,
) -> StudyPicture | None:
    """The picture of one of a study's images that have a live vector in the space.

    Without ``sop_instance_uid`` it is the image embedded first, without ``frame`` any of the
    instance. None if there is none.
    """
    wanted = select(Embedding.sop_instance_uid, Embedding.frame, Embedding.picture).where(
        Embedding.space_id == space_id,
        Embedding.study_id == study_id,
        Embedding.retired_at.is_(None),
        Embedding.picture.is_not(None),
    )
    if sop_instance_uid is not None:
        wanted = wanted.where(Embedding.sop_instance_uid == sop_instance_uid)
    if frame is not None:
        # an image without frames is the first of its own
        wanted = wanted.where(Embedding.frame.in_((0, 1) if frame == 1 else (frame,)))
    row = connection.execute(wanted.order_by(Embedding.id).limit(1)).one_or_none()
    return None if row is None else StudyPicture(row[0], row[1] or None, row[2] or b"")

"""The pictures of embedded images, as people look at them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select, tuple_
from sqlalchemy.engine import Connection

from storage.answer import ImageReference
from storage.tables import Embedding

Pictures = Mapping[tuple[str, int | None], bytes]
"""PNG files (8-bit gray, at most 512 px) by SOP Instance UID and frame number from 1, or None."""


def of_images(
    connection: Connection, images: Iterable[ImageReference], *, space_id: str
) -> Pictures:
    """The pictures of those of the images that have a live vector in the space."""
    wanted = [(image.sop_instance_uid, image.frame_number or 0) for image in images]
    rows = connection.execute(
        select(Embedding.sop_instance_uid, Embedding.frame, Embedding.picture).where(
            Embedding.space_id == space_id,
            tuple_(Embedding.sop_instance_uid, Embedding.frame).in_(wanted),
        )
    )
    return {(uid, frame or None): picture for uid, frame, picture in rows if picture}

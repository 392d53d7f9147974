"""Whether what an archive gave back is the image that was received once.

It may be another image under the same UID, and would be embedded, and kept, as the one received.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from dicom_node.retrieving.sameness import same_picture
from encoders.image import PixelError
from encoders.picture import to_png
from encoders.pixel_reader import PixelReader
from storage import changeover
from storage.changeover import MissingImage

LONGEST_PICTURE_SIDE = 512
"""Pixels: as of the pictures that stand with vectors."""


@dataclass(frozen=True)
class Originals:
    """Images as they were received, by the pictures that stand with their vectors.

    Attributes:
        ct_window: in which the encoder of the space in use has CT shown; None for the image's own.
    """

    engine: Engine
    ct_window: tuple[float, float] | None

    def shows(self, image: MissingImage, path: Path, reader: PixelReader) -> bool:
        """Whether a file shows the image, though its data set is not the same byte for byte.

        Raises:
            ChildProcessError: as for ``PixelReader.read``.
        """
        with self.engine.connect() as connection:
            kept = changeover.picture_of(connection, image)
        if kept is None:
            return False
        try:
            came = reader.read(path, frame_index(image), ct_window=self.ct_window)
        except PixelError:
            return False
        return same_picture(kept, to_png(came, LONGEST_PICTURE_SIDE))


def frame_index(image: MissingImage) -> int | None:
    """The index of its frame, from 0; None in a single-frame instance."""
    number = image.image.frame_number
    return None if number is None else number - 1

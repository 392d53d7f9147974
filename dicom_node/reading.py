"""From a study's instances to the images that an encoder sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.identity import SOFTWARE_VERSION
from dicom_node.spool import Spool
from encoders.choice import ChosenImage, choose_images
from encoders.encoder import Encoder
from encoders.header import ImageHeader
from encoders.image import GrayscaleImage, PixelError
from encoders.picture import to_png
from encoders.pixel_reader import PixelReader
from storage.answer import ImageReference
from storage.embeddings import NewEmbedding
from storage.studies import StoredInstance

LONGEST_PICTURE_SIDE = 512
LONGEST_REASON = 400


class UnworkableStudyError(Exception):
    """No image of a study can stand for it; the message says why, image by image."""


@dataclass(frozen=True)
class ReadImage:
    """An image that was chosen and read, and what names it."""

    reference: ImageReference
    pixels: GrayscaleImage


@dataclass(frozen=True)
class ReadStudy:
    """The images that stand for a study; ``left_out`` says why each other instance does not."""

    images: Sequence[ReadImage]
    left_out: Mapping[str, str]

    def embeddings(self, vectors: NDArray[np.float32], encoder: Encoder) -> list[NewEmbedding]:
        """Puts each image's vector, a row of shape (dimension,), beside its picture and origin."""
        produced_by = {"software": SOFTWARE_VERSION, "encoder": encoder.space.encoder}
        return [
            NewEmbedding(
                image=image.reference,
                vector=vector,
                picture=to_png(image.pixels, LONGEST_PICTURE_SIDE),
                produced_by=produced_by,
            )
            for image, vector in zip(self.images, vectors, strict=True)
        ]


def read_study(spool: Spool, instances: Sequence[StoredInstance], reader: PixelReader) -> ReadStudy:
    """Chooses the representative images by their headers, and decodes only those.

    An image that cannot be read is left out with its reason; the others go on.

    Raises:
        UnworkableStudyError: no image is left.
        ChildProcessError: the reading process failed for a reason that is not a file's.
    """
    files = {instance.sop_instance_uid: instance.spool_name for instance in instances}
    headers = [ImageHeader.from_json(i.header) for i in instances if i.header is not None]
    left_out = {i.sop_instance_uid: i.left_out or "" for i in instances if i.header is None}
    choice = choose_images(headers)
    left_out |= {entry.sop_instance_uid: entry.reason for entry in choice.left_out}
    images = []
    for chosen in choice.chosen:
        uid = chosen.header.sop_instance_uid
        try:
            pixels = reader.read(spool.path(files[uid]), chosen.frame)
        except PixelError as fault:
            left_out[uid] = str(fault)
        else:
            images.append(ReadImage(reference_of(chosen, pixels.rules), pixels))
    if not images:
        raise UnworkableStudyError(_why_none(left_out))
    return ReadStudy(images, left_out)


def reference_of(chosen: ChosenImage, rules: Mapping[str, Any]) -> ImageReference:
    """The reference under which a chosen image is kept."""
    header = chosen.header
    return ImageReference(
        series_instance_uid=header.series_instance_uid,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        frame_number=None if chosen.frame is None else chosen.frame + 1,
        modality=header.modality,
        body_part=header.body_part,
        view=header.view_position,
        slice_rule=chosen.rule,
        pixel_rules=dict(rules),
    )


def _why_none(left_out: Mapping[str, str]) -> str:
    counts: dict[str, int] = {}
    for reason in left_out.values():
        counts[reason] = counts.get(reason, 0) + 1
    each = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
    return f"no image to embed: {each}"[:LONGEST_REASON]

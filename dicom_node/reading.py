"""From a study's instances to the images that an encoder sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dicom_node.identity import SOFTWARE_VERSION
from dicom_node.spool import Spool
from encoders.checked import CheckedEncoder
from encoders.choice import Choice, ChosenImage, LeftOut, choose_images
from encoders.header import ImageHeader
from encoders.image import GrayscaleImage, PixelError
from encoders.picture import to_png
from encoders.pixel_reader import PixelReader
from storage.answer import ImageReference
from storage.embeddings import NewEmbedding
from storage.study_work import StoredInstance

LONGEST_PICTURE_SIDE = 512
LONGEST_REASON = 400
GONE = "its file is gone from the spool (spool.keep_days) or at another node: send it again"


class UnworkableStudyError(Exception):
    """No image of a study can stand for it; the message says why, image by image."""


Embedded = Mapping[tuple[str, int | None], int]
"""Vectors that stand already: rows by SOP Instance UID and frame number."""
NOTHING: Embedded = MappingProxyType({})


@dataclass(frozen=True)
class ReadImage:
    """An image that was chosen and read, what names it, and its data set's SHA-256."""

    reference: ImageReference
    pixels: GrayscaleImage
    sha256: str


@dataclass(frozen=True)
class ReadStudy:
    """The images that stand for a study; ``left_out`` says why each other instance does not.

    ``kept`` are the rows of vectors that go on standing for images whose files are gone.
    """

    images: Sequence[ReadImage]
    kept: Sequence[int]
    left_out: Mapping[str, str]

    def embeddings(self, encoder: CheckedEncoder) -> list[NewEmbedding]:
        """Each image's vector, float32 of shape (dimension,), beside its picture and origin."""
        if not self.images:
            return []
        vectors = encoder.embed([image.pixels for image in self.images])
        made_by = {"software": SOFTWARE_VERSION, "encoder": encoder.space.encoder}
        return [
            NewEmbedding(
                image=image.reference,
                vector=vector,
                picture=to_png(image.pixels, LONGEST_PICTURE_SIDE),
                produced_by={**made_by, "sha256": image.sha256},
            )
            for image, vector in zip(self.images, vectors, strict=True)
        ]


def read_study(
    spool: Spool,
    instances: Sequence[StoredInstance],
    reader: PixelReader,
    embedded: Embedded = NOTHING,
) -> ReadStudy:
    """Chooses the representative images by their headers, and decodes only those.

    An image that cannot be read is left out with its reason; the others go on. One whose file is
    gone keeps the vector that it has in ``embedded``; where it has none, another of its series is
    chosen.

    Raises:
        UnworkableStudyError: no image is left.
        ChildProcessError: the reading process failed for a reason that is not a file's.
    """
    held = _Held(spool, {i.sop_instance_uid: i for i in instances}, embedded)
    left_out = {i.sop_instance_uid: i.left_out or "" for i in instances if i.header is None}
    choice = _choose([ImageHeader.from_json(i.header) for i in instances if i.header], held)
    left_out |= {entry.sop_instance_uid: entry.reason for entry in choice.left_out}
    images, kept = [], []
    for chosen in choice.chosen:
        uid = chosen.header.sop_instance_uid
        path = held.file(uid)
        if path is None:
            kept.append(embedded[_key(chosen)])
            continue
        try:
            pixels = reader.read(path, chosen.frame)
        except PixelError as fault:
            left_out[uid] = str(fault)
        else:
            sha256 = held.stored[uid].sha256
            images.append(ReadImage(reference_of(chosen, pixels.rules), pixels, sha256))
    if not images and not kept:
        raise UnworkableStudyError(_why_none(left_out))
    return ReadStudy(images, kept, left_out)


@dataclass(frozen=True)
class _Held:
    """What there is of a study's images: files in this spool, and vectors made earlier."""

    spool: Spool
    stored: Mapping[str, StoredInstance]
    embedded: Embedded

    def file(self, uid: str) -> Path | None:
        name = self.stored[uid].spool_name
        path = None if name is None else self.spool.path(name)
        return path if path is not None and path.exists() else None

    def has(self, image: ChosenImage) -> bool:
        return self.file(image.header.sop_instance_uid) is not None or _key(image) in self.embedded


def _choose(headers: Sequence[ImageHeader], held: _Held) -> Choice:
    """The choice; in a series whose image we lack, the choice among those that we have."""
    first = choose_images(headers)
    lacking = {i.header.series_instance_uid for i in first.chosen if not held.has(i)}
    if not lacking:
        return first
    embedded = {uid for uid, _ in held.embedded}
    again = choose_images(
        header
        for header in headers
        if header.series_instance_uid in lacking
        and (header.sop_instance_uid in embedded or held.file(header.sop_instance_uid))
    )
    chosen = [i for i in first.chosen if i.header.series_instance_uid not in lacking]
    chosen += [i for i in again.chosen if held.has(i)]
    taken = {i.header.sop_instance_uid for i in chosen}
    wanted = {i.header.sop_instance_uid for i in first.chosen}
    others = [entry for entry in first.left_out if entry.sop_instance_uid not in taken]
    gone = [LeftOut(uid, GONE) for uid in sorted(wanted - taken)]
    return Choice(tuple(chosen), (*others, *gone))


def _key(image: ChosenImage) -> tuple[str, int | None]:
    return image.header.sop_instance_uid, _frame_number(image)


def reference_of(chosen: ChosenImage, rules: Mapping[str, Any]) -> ImageReference:
    """The reference under which a chosen image is kept."""
    header = chosen.header
    return ImageReference(
        series_instance_uid=header.series_instance_uid,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        frame_number=_frame_number(chosen),
        modality=header.modality,
        body_part=header.body_part,
        view=header.view_position,
        laterality=header.laterality,
        burned_in=header.burned_in,
        lossy=header.lossy,
        slice_rule=chosen.rule,
        pixel_rules=dict(rules),
    )


def _frame_number(chosen: ChosenImage) -> int | None:
    return None if chosen.frame is None else chosen.frame + 1


def _why_none(left_out: Mapping[str, str]) -> str:
    counts: dict[str, int] = {}
    for reason in left_out.values():
        counts[reason] = counts.get(reason, 0) + 1
    each = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
    return f"no image to embed: {each}"[:LONGEST_REASON]

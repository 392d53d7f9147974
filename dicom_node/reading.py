"""From a study's instances to the images that stand for it, chosen by their headers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dicom_node.kept_images import KeptKey
from dicom_node.making import image_key
from dicom_node.spool import Spool
from encoders.choice import Choice, ChosenImage, LeftOut, choose_images
from encoders.header import ImageHeader
from storage.answer import ImageReference
from storage.study_work import StoredInstance

GONE = "its file is gone from the spool (spool.keep_days) or at another node: send it again"

Embedded = Mapping[tuple[str, int | None], int]
"""Vectors that stand already: rows by SOP Instance UID and frame number."""
NOTHING: Embedded = MappingProxyType({})


@dataclass(frozen=True)
class ChosenFile:
    """An image that was chosen, the file that it is in, and its data set's SHA-256.

    ``in_set_of`` is None for one that stands for its series; for a slice that is read only for the
    set of its series it is the number of that one in ``ChosenStudy.files``.
    """

    chosen: ChosenImage
    path: Path
    sha256: str
    in_set_of: int | None = None

    @property
    def uid(self) -> str:
        """Its SOP Instance UID."""
        return self.chosen.header.sop_instance_uid

    @property
    def key(self) -> str:
        """What names it as ``encoders.image.GrayscaleImage.key`` does."""
        return image_key(self.uid, frame_number(self.chosen))

    def kept_key(self, window_rule: str) -> KeptKey:
        """What the image is kept under, read for a space of that window rule."""
        return KeptKey(self.sha256, frame_number(self.chosen), window_rule)


@dataclass(frozen=True)
class ChosenStudy:
    """The images that stand for a study; ``left_out`` says why each other instance does not.

    ``kept`` are the rows of vectors that go on standing for images whose files are gone;
    ``was_told`` says whether some instance has such a reason beside it by now. ``slices`` are
    further slices of the files' series, for the sets of their vectors.
    """

    files: Sequence[ChosenFile]
    kept: Sequence[int]
    left_out: Mapping[str, str]
    was_told: bool = False
    slices: Sequence[ChosenFile] = ()

    @property
    def count(self) -> int:
        """How many images are to be read: files, then slices."""
        return len(self.files) + len(self.slices)

    def to_read(self, number: int) -> ChosenFile:
        """One of them, by its number."""
        at = number - len(self.files)
        return self.slices[at] if at >= 0 else self.files[number]


def choose(
    spool: Spool,
    instances: Sequence[StoredInstance],
    embedded: Embedded = NOTHING,
    *,
    spread_over: int = 0,
) -> ChosenStudy:
    """Chooses the representative images by their headers; no file is opened.

    One whose file is gone keeps the vector that it has in ``embedded``; where it has none, another
    of its series is chosen. Up to ``spread_over`` slices of a CT or MR series go into its set.
    """
    held = _Held(spool, {i.sop_instance_uid: i for i in instances}, embedded)
    left_out = {i.sop_instance_uid: i.left_out or "" for i in instances if i.header is None}
    headers = [ImageHeader.from_json(i.header) for i in instances if i.header]
    choice = _choose(headers, held, spread_over)
    left_out |= {entry.sop_instance_uid: entry.reason for entry in choice.left_out}
    files, kept = [], []
    for chosen in choice.chosen:
        uid = chosen.header.sop_instance_uid
        path = held.file(uid)
        if path is None:
            kept.append(embedded[_key(chosen)])
        else:
            files.append(ChosenFile(chosen, path, held.stored[uid].sha256))
    slices = [slice_ for number, file in enumerate(files) for slice_ in _beside(number, file, held)]
    return ChosenStudy(files, kept, left_out, any(i.left_out for i in instances), slices)


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


def _beside(number: int, file: ChosenFile, held: _Held) -> Iterator[ChosenFile]:
    """The other slices of a chosen one's set, as far as their files are here."""
    for one in file.chosen.spread:
        uid = one.header.sop_instance_uid
        path = held.file(uid)
        if path is not None and (uid, one.frame) != (file.uid, file.chosen.frame):
            chosen = ChosenImage(one.header, one.frame, "slice of the set")
            yield ChosenFile(chosen, path, held.stored[uid].sha256, number)


def _choose(headers: Sequence[ImageHeader], held: _Held, spread_over: int) -> Choice:
    """The choice; in a series whose image we lack, the choice among those that we have."""
    first = choose_images(headers, spread_over=spread_over)
    lacking = {i.header.series_instance_uid for i in first.chosen if not held.has(i)}
    if not lacking:
        return first
    embedded = {uid for uid, _ in held.embedded}
    here = [
        header
        for header in headers
        if header.series_instance_uid in lacking
        and (header.sop_instance_uid in embedded or held.file(header.sop_instance_uid))
    ]
    again = choose_images(here, spread_over=spread_over)
    chosen = [i for i in first.chosen if i.header.series_instance_uid not in lacking]
    chosen += [i for i in again.chosen if held.has(i)]
    taken = {i.header.sop_instance_uid for i in chosen}
    wanted = {i.header.sop_instance_uid for i in first.chosen}
    others = [entry for entry in first.left_out if entry.sop_instance_uid not in taken]
    gone = [LeftOut(uid, GONE) for uid in sorted(wanted - taken)]
    return Choice(tuple(chosen), (*others, *gone))


def _key(image: ChosenImage) -> tuple[str, int | None]:
    return image.header.sop_instance_uid, frame_number(image)


def reference_of(chosen: ChosenImage, rules: Mapping[str, Any]) -> ImageReference:
    """The reference under which a chosen image is kept."""
    header = chosen.header
    return ImageReference(
        series_instance_uid=header.series_instance_uid,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        frame_number=frame_number(chosen),
        modality=header.modality,
        body_part=header.body_part,
        view=header.view_position,
        laterality=header.laterality,
        burned_in=header.burned_in,
        lossy=header.lossy,
        slice_rule=chosen.rule,
        pixel_rules=dict(rules),
    )


def frame_number(chosen: ChosenImage) -> int | None:
    """Its frame, from 1 (PS3.3 C.7.6.16); None in a single-frame instance."""
    return None if chosen.frame is None else chosen.frame + 1

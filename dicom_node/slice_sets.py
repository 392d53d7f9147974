"""The slice vectors of a series as one set: what was read of its slices, and what was not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dicom_node.reading import GONE, ChosenFile, ChosenStudy
from encoders.spread import SPREAD_RULE
from encoders.stack import Slice
from storage.embeddings import NewEmbedding
from storage.slices import NewSlices, SliceImage, SliceLeftOut


def with_slices(
    chosen: ChosenStudy, made: Mapping[int, NewEmbedding], without: Mapping[int, str]
) -> list[NewEmbedding]:
    """The vectors of the chosen files that have one, each with the set of its series if it has one.

    Args:
        chosen: the study's choice.
        made: vectors by their number in ``chosen.to_read``.
        without: why slices have none, by the same number.
    """
    of_files: defaultdict[int, list[int]] = defaultdict(list)
    for at, file in enumerate(chosen.slices, start=len(chosen.files)):
        if file.in_set_of is not None:
            of_files[file.in_set_of].append(at)
    return [
        replace(made[number], slices=_slice_set(chosen, [number, *of_files[number]], made, without))
        for number in range(len(chosen.files))
        if number in made
    ]


def _slice_set(
    chosen: ChosenStudy,
    numbers: Sequence[int],
    made: Mapping[int, NewEmbedding],
    without: Mapping[int, str],
) -> NewSlices | None:
    """The set of the file that is the first of the numbers; None where none was asked for."""
    spread = chosen.to_read(numbers[0]).chosen.spread
    if not spread:
        return None
    of_set = {_key(chosen.to_read(at)): at for at in numbers}
    places = [of_set.get((one.header.sop_instance_uid, one.frame)) for one in spread]
    found = [at for at in places if at in made]
    return NewSlices(
        np.stack([made[at].vector for at in found if at is not None]),
        [_image(one) for one, at in zip(spread, places, strict=True) if at in made],
        [
            SliceLeftOut(_image(one), GONE if at is None else without[at])
            for one, at in zip(spread, places, strict=True)
            if at not in made
        ],
        {**made[numbers[0]].produced_by, "slices": SPREAD_RULE},
    )


def _key(file: ChosenFile) -> tuple[str, int | None]:
    return file.uid, file.chosen.frame


def _image(one: Slice) -> SliceImage:
    """Frames count from 1 in the standard (PS3.3 C.7.6.16)."""
    frame = None if one.frame is None else one.frame + 1
    return SliceImage(one.header.sop_instance_uid, frame)

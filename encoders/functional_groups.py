"""Functional groups of enhanced multi-frame objects (PS3.3 C.7.6.16)."""

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from encoders.elements import items


def groups_of(ds: Dataset, frame: int) -> list[Dataset]:
    """The functional groups that hold for one frame (from 0), the frame's own before the shared.

    A macro stands either in the Per-frame or in the Shared Functional Groups Sequence
    (PS3.3 C.7.6.16.1), never rightly in both; where both have it, the frame's own is met first.

    Raises:
        PixelError: one of the two sequences cannot be parsed.
    """
    own = items(ds, "PerFrameFunctionalGroupsSequence")[frame : frame + 1]
    return [*own, *items(ds, "SharedFunctionalGroupsSequence")[:1]]


def macro_items(groups: Iterable[Dataset], sequence: str) -> Iterator[Dataset]:
    """First item of a macro's sequence (``FrameVOILUTSequence``, say) in each group that has it.

    Raises:
        PixelError: the sequence cannot be parsed.
    """
    for group in groups:
        yield from items(group, sequence)[:1]


def holders(ds: Dataset, sequence: str, frame: int) -> list[Dataset]:
    """Where an attribute may stand for one frame: its functional groups first, then the root.

    Raises:
        PixelError: one of the sequences cannot be parsed.
    """
    return [*macro_items(groups_of(ds, frame), sequence), ds]

"""Reads mutated files as the node does, and says what came of each."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from dicom_node.header_reader import HeaderReader
from dicom_node.received import UnreadableError
from encoders.baseline import describe
from encoders.image import GrayscaleImage, PixelError
from encoders.pixel_reader import PixelReader
from storage.received import ReceivedInstance
from tests.fuzzing import faults
from tests.fuzzing.mutants import Mutant, Place, Recipe, mutate
from tests.fuzzing.seeds import Seed
from tests.fuzzing.watched import Cost, Watched

SPOOLED = "20260101/000000.000000-abcdef01.dcm"


@dataclass(frozen=True)
class Verdict:
    """What came of one file.

    Attributes:
        header: why the header was refused; None where it was read.
        reason: why there is no image; None where there is one.
        same: whether the image is the seed's, bit by bit.
        cosine: of the image's vector with the seed's; None without both.
        costs: of the header and of the pixels.
        findings: what should not have been; empty where all is well.
    """

    recipe: Recipe
    place: Place
    header: str | None
    reason: str | None
    same: bool
    cosine: float | None
    costs: tuple[Cost, Cost]
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """The image of a file that was not mutated, and its vector; None where it has none."""

    image: GrayscaleImage | None = None
    vector: NDArray[np.float32] | None = None


class Examiner:
    """Two reading processes, used for all files. Use it as a context manager, from one thread.

    Args:
        folder: where the mutated files are written, one after the other.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mutated.dcm"
        self._stack = ExitStack()
        self._references: dict[str, Reference] = {}

    def __enter__(self) -> Self:
        headers = self._stack.enter_context(HeaderReader())
        pixels = self._stack.enter_context(PixelReader())
        self._headers: Watched[ReceivedInstance] = Watched(
            "dicom_node.header_process",
            lambda path: headers.read(path, SPOOLED),
            (UnreadableError,),
        )
        self._pixels: Watched[GrayscaleImage] = Watched(
            "encoders.pixel_process", pixels.read, (PixelError,)
        )
        self._warm_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def examine(self, seed: Seed, recipe: Recipe) -> Verdict:
        """Make the mutated file of a recipe, read it, and check what came of it."""
        return self.examine_file(mutate(seed, recipe), self.reference(seed))

    def examine_file(self, mutant: Mutant, reference: Reference) -> Verdict:
        """Read a file, and check what came of it."""
        self.path.write_bytes(mutant.data)
        received, header_cost = self._headers.ask(self.path)
        image, cost = self._pixels.ask(self.path)
        if header_cost.died or cost.died:
            self._warm_up()
        vector = describe(image.pixels) if _sound(image) else None
        return Verdict(
            recipe=mutant.recipe,
            place=mutant.place,
            header=str(received) if isinstance(received, Exception) else received.left_out,
            reason=str(image) if isinstance(image, Exception) else None,
            same=_same(image, reference),
            cosine=_cosine(vector, reference),
            costs=(header_cost, cost),
            findings=tuple(
                chain(
                    faults.cost_faults(header_cost),
                    faults.cost_faults(cost),
                    _header_faults(received),
                    self._image_faults(image, mutant, reference),
                    () if vector is None else faults.vector_faults(vector),
                )
            ),
        )

    def reference(self, seed: Seed) -> Reference:
        """What the seed itself gives; read once, and remembered."""
        if seed.name not in self._references:
            self.path.write_bytes(seed.data)
            image, _ = self._pixels.ask(self.path)
            found = Reference()
            if isinstance(image, GrayscaleImage):
                found = Reference(image, describe(image.pixels))
            self._references[seed.name] = found
        return self._references[seed.name]

    def _image_faults(
        self, image: GrayscaleImage | Exception, mutant: Mutant, reference: Reference
    ) -> Iterator[str]:
        if isinstance(image, Exception):
            return faults.reason_faults(image)
        if _same(image, reference):
            return faults.rules_faults(image)
        return chain(
            faults.rules_faults(image),
            faults.image_faults(image, self.path),
            faults.length_faults(image, mutant.data, self.path),
            faults.place_faults(mutant.place),
        )

    def _warm_up(self) -> None:
        """Start the processes, so that no file's cost is that of importing their modules."""
        self.path.write_bytes(b"")
        self._headers.ask(self.path)
        self._pixels.ask(self.path)


def _header_faults(received: ReceivedInstance | Exception) -> Iterator[str]:
    if isinstance(received, Exception):
        return faults.reason_faults(received)
    return faults.header_faults(received)


def _same(image: GrayscaleImage | Exception, reference: Reference) -> bool:
    if isinstance(image, Exception) or reference.image is None:
        return False
    return faults.same(image, reference.image)


def _sound(image: GrayscaleImage | Exception) -> TypeGuard[GrayscaleImage]:
    """Whether an image can be described; what is wrong with one that cannot is a finding."""
    if isinstance(image, Exception):
        return False
    low, high = float(image.pixels.min()), float(image.pixels.max())
    return 0 <= low <= high <= 1


def _cosine(vector: NDArray[np.float32] | None, reference: Reference) -> float | None:
    if vector is None or reference.vector is None:
        return None
    return float(vector @ reference.vector)

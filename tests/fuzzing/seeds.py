"""What is mutated: the real images beside the checkout, and objects made here."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from pydicom import uid

from tests.encoders.objects import SHARED, files
from tests.fuzzing.layout import META_AT, Layout, read_layout
from tests.fuzzing.made import made_files

FOLDERS = ("syntaxes", "formats", "chest", "traps", "ct_slices", "series")


@dataclass(frozen=True)
class Seed:
    """A file to mutate, named as it lies under the real images, or ``made/...``."""

    name: str
    data: bytes

    @property
    def weight(self) -> float:
        """Its share of the mutants: large files take long and are no better."""
        size = len(self.data)
        return 1.0 if size < 400_000 else 0.3 if size < 700_000 else 0.06

    @property
    def group(self) -> str:
        """Its folder, and for the WG04 images their encoding."""
        folder, _, name = self.name.partition("/")
        return f"{folder}, {name[4:-4]}" if folder == "syntaxes" else folder

    @property
    def encoding(self) -> str:
        """The name of its transfer syntax, without what stands in brackets."""
        return uid.UID(self.flat.transfer_syntax).name.partition(" (")[0]

    @cached_property
    def raw(self) -> Layout:
        """The file; of a deflated one no elements are known."""
        if self.deflated:
            return Layout(self.data, (), uid.DeflatedExplicitVRLittleEndian)
        return self.flat

    @cached_property
    def flat(self) -> Layout:
        """The file with its data set inflated."""
        if not self.deflated:
            return read_layout(self.data)
        at = self._data_set_at
        inflated = zlib.decompress(self.data[at:], -zlib.MAX_WBITS)
        return read_layout(self.data[:at] + inflated)

    @cached_property
    def deflated(self) -> bool:
        """Whether the data set is deflated as a whole (PS3.5 A.5)."""
        return read_layout(self.data).transfer_syntax == uid.DeflatedExplicitVRLittleEndian

    def packed(self, data: bytes) -> bytes:
        """A file from the inflated form: deflated again where this one is."""
        if not self.deflated:
            return data
        at = self._data_set_at
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return data[:at] + deflate.compress(data[at:]) + deflate.flush()

    @cached_property
    def _data_set_at(self) -> int:
        (length,) = np.frombuffer(self.data, "<u4", count=1, offset=META_AT + 8)
        return META_AT + 12 + int(length)


@cache
def seeds() -> Mapping[str, Seed]:
    """All seeds by name: those made here, then the real ones where they are there."""
    made = {f"made/{name}": data for name, data in made_files().items()}
    real = {str(path.relative_to(SHARED)): path for name in FOLDERS for path in files(name)}
    chosen = {name: path.read_bytes() for name, path in real.items() if _wanted(name, real)}
    return {name: Seed(name, data) for name, data in {**made, **chosen}.items()}


def _wanted(name: str, names: Mapping[str, object]) -> bool:
    """One file of each series and one CT slice; of the other folders all."""
    folder, _, rest = name.partition("/")
    if folder == "ct_slices":
        return name == min(n for n in names if n.startswith("ct_slices/"))
    if folder == "series":
        within = f"series/{rest.partition('/')[0]}/"
        return name == min(n for n in names if n.startswith(within))
    return True

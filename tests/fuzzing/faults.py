"""What an outcome must be, whatever the file: each check yields what is wrong, in one line."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from encoders.choice import choose_images
from encoders.elements import READ_ERRORS, explain
from encoders.header import ImageHeader
from encoders.image import GrayscaleImage
from storage.received import ReceivedInstance
from tests.fuzzing.layout import read_layout
from tests.fuzzing.mutants import Place
from tests.fuzzing.watched import Cost

WALL_S = CPU_S = 5.0
MEMORY = 1 << 30
REASON_MAX = 500

_OURS = ("fault of this program", "a decoder died", "processor time allowed", "no message")
"""In a reason: it ended the process, which is worth a look even where the node lives on."""

_SAME_OR_REFUSED = (Place.CUT, Place.SHIFTED, Place.UNREAD)


def cost_faults(cost: Cost) -> Iterator[str]:
    """Too slow, too large, or dead."""
    if cost.died:
        yield "the reading process died"
    if max(cost.wall_s, cost.cpu_s) > WALL_S:
        yield f"took {cost.wall_s:.1f} s by the clock, {cost.cpu_s:.1f} s of processor time"
    if cost.peak > MEMORY:
        yield f"took {cost.peak >> 20} MiB"


def reason_faults(fault: Exception) -> Iterator[str]:
    """A reason is one short line that a terminal, a page and a database take."""
    reason = str(fault)
    if isinstance(fault, ChildProcessError):
        yield f"no answer: {reason}"
    if not reason.strip() or len(reason) > REASON_MAX:
        yield f"a reason of {len(reason)} characters"
    if not _storable(reason) or any(unicodedata.category(c) == "Cc" for c in reason):
        yield f"a reason with control characters: {reason[:80]!a}"
    if any(words in reason for words in _OURS):
        yield reason


def header_faults(received: ReceivedInstance) -> Iterator[str]:
    """What is kept of a header goes into PostgreSQL as text and JSON, and chooses images."""
    try:
        if not _storable(json.dumps(asdict(received), default=str, allow_nan=False)):
            yield "a header that PostgreSQL refuses: NUL or a lone surrogate"
        if received.header is not None:
            choose_images([ImageHeader.from_json(received.header)])
    except READ_ERRORS as error:
        yield f"a header that cannot be worked with: {explain(error)}"
    if received.left_out is not None:
        yield from reason_faults(ValueError(received.left_out))


def image_faults(image: GrayscaleImage, path: Path) -> Iterator[str]:
    """An image has the shape that its header says, at most 1024 long, and lies in [0, 1]."""
    ds = dcmread(path, stop_before_pixels=True)
    pixels = image.pixels
    declared = (ds.get("Rows") or 0, ds.get("Columns") or 0)
    if pixels.shape != _reduced(declared) or pixels.dtype != np.float32:
        yield f"{pixels.dtype} pixels of shape {pixels.shape} for rows and columns {declared}"
    elif not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        yield f"pixels from {pixels.min()} to {pixels.max()}"


def _reduced(declared: tuple[int, int]) -> tuple[int, ...]:
    longest = max(1, *declared)
    if longest <= 1024:
        return declared
    return tuple(max(1, round(side * 1024 / longest)) for side in declared)


def rules_faults(image: GrayscaleImage) -> Iterator[str]:
    """The rules that fired are complete, and PostgreSQL takes them as JSON."""
    rules = json.dumps(dict(image.rules), allow_nan=False)
    if not _storable(rules) or len(rules) > 2000:
        yield f"rules that PostgreSQL refuses or nobody reads: {rules[:80]!r}"
    if not {"transfer_syntax_uid", "decoder", "frame_number"} <= image.rules.keys():
        yield "rules are incomplete"


def length_faults(image: GrayscaleImage, data: bytes, path: Path) -> Iterator[str]:
    """Uncompressed pixel data is as long as its attributes say, to less than a row or column.

    With any other length rows would be shown askew, or other elements as pixels.
    """
    pixels = read_layout(data).pixel_data()
    ds = dcmread(path, stop_before_pixels=True)
    if pixels is None or image.rules["decoder"] != "native" or "Rows" not in ds:
        return
    halved = ds.PhotometricInterpretation == "YBR_FULL_422"
    samples = ds.Rows * ds.Columns * (2 if halved else ds.SamplesPerPixel)
    due = (samples * ds.BitsAllocated * int(ds.get("NumberOfFrames") or 1) + 7) // 8
    spare = max(1, min(ds.Rows, ds.Columns) * ds.BitsAllocated // 8 - 1)
    if not due <= pixels.head.length <= due + spare:
        yield f"an image of {pixels.head.length} bytes where its attributes give {due}"


def place_faults(place: Place) -> Iterator[str]:
    """A file cut short has no other image than the seed's; nor one changed where nothing is read.

    What is cut of a frame that is not shown, or of padding behind the last, harms no picture.
    """
    if place in _SAME_OR_REFUSED:
        yield f"an image other than the seed's, with a change of: {place.value}"


def same(image: GrayscaleImage, seed: GrayscaleImage) -> bool:
    """Whether two images are the same bit by bit."""
    return np.array_equal(image.pixels, seed.pixels)


def vector_faults(vector: NDArray[np.float32]) -> Iterator[str]:
    """A vector is finite and of unit length."""
    if not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        yield f"a vector of length {np.linalg.norm(vector)}"


def _storable(text: str) -> bool:
    """Whether PostgreSQL takes the text: no NUL, escaped or not, and no lone surrogate."""
    plain: Any = text.replace("\\\\", "")
    escaped_surrogate = any(f"\\ud{digit}" in plain.lower() for digit in "89abcdef")
    return "\0" not in plain and "\\u0000" not in plain and not _lone(text, escaped_surrogate)


def _lone(text: str, escaped: bool) -> bool:
    if escaped:  # pairs are how JSON writes what lies beyond the Basic Multilingual Plane
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return any("\ud800" <= character <= "\udfff" for character in text)

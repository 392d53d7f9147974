"""What DCMTK makes of a damaged compressed file that we accept."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

import numpy as np
from pydicom import dcmread, uid

from encoders.image import GrayscaleImage, PixelError
from encoders.pixel_reader import PixelReader
from tests.fuzzing.examiner import Verdict
from tests.fuzzing.mutants import Place, mutate
from tests.fuzzing.seeds import seeds

ONE_LEVEL = 1 / 255
TIMEOUT_S = 30


class Opinion(Enum):
    """DCMTK's word on a file that we accept."""

    AGREES = "decodes the same"
    DIFFERS = "decodes something else"
    REFUSES = "refuses it"
    NONE = "has no decoder for it"


def opinions(verdicts: Iterable[Verdict], folder: Path) -> Iterator[tuple[Verdict, Opinion]]:
    """DCMTK's word on each image that came of changed compressed data and is not the seed's."""
    path = folder / "accepted.dcm"
    with PixelReader() as reader:
        for verdict in verdicts:
            if verdict.place is not Place.CODED or verdict.reason is not None or verdict.same:
                continue
            path.write_bytes(mutate(seeds()[verdict.recipe.seed], verdict.recipe).data)
            image = reader.read(path)
            yield verdict, opinion(path, image, lambda plain: _read(reader, plain))


def told(found: Iterable[tuple[Verdict, Opinion]]) -> Iterator[str]:
    """Lines on how often DCMTK said what, by encoding, and on the files that it refuses."""
    listed = list(found)
    counts = Counter((seeds()[v.recipe.seed].encoding, opinion.value) for v, opinion in listed)
    for (encoding, word), count in sorted(counts.items()):
        yield f"{count:7} {encoding}: DCMTK {word}"
    for verdict, opinion in listed:
        if opinion is Opinion.REFUSES:
            yield f"DCMTK refuses {verdict.recipe} (cosine with the seed {verdict.cosine:.2f})"


def opinion(
    path: Path, image: GrayscaleImage, read: Callable[[Path], GrayscaleImage | Exception]
) -> Opinion:
    """Decode a file with DCMTK, and compare what it made with our image.

    Args:
        path: a file that we accept.
        image: what we made of it.
        read: reads DCMTK's uncompressed file by the rest of our pipeline.
    """
    command = _command(str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID))
    if command is None:
        return Opinion.NONE
    plain = path.with_name("plain.dcm")
    plain.unlink(missing_ok=True)
    ended = subprocess.run(
        [command, str(path), str(plain)], capture_output=True, check=False, timeout=TIMEOUT_S
    )
    if ended.returncode or not plain.exists():
        return Opinion.REFUSES
    theirs = read(plain)
    if isinstance(theirs, Exception) or theirs.pixels.shape != image.pixels.shape:
        return Opinion.DIFFERS
    apart = float(np.abs(theirs.pixels - image.pixels).max())
    return Opinion.AGREES if apart <= ONE_LEVEL else Opinion.DIFFERS


def _read(reader: PixelReader, path: Path) -> GrayscaleImage | Exception:
    try:
        return reader.read(path)
    except PixelError as fault:
        return fault


def _command(transfer_syntax: str) -> str | None:
    if transfer_syntax == uid.RLELossless:
        return shutil.which("dcmdrle")
    if transfer_syntax in uid.JPEGLSTransferSyntaxes:
        return shutil.which("dcmdjpls")
    return shutil.which("dcmdjpeg") if transfer_syntax in uid.JPEGTransferSyntaxes else None

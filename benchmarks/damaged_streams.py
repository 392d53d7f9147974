"""What becomes of compressed images that were damaged on the way, one transfer syntax a row.

Run ``python -m benchmarks.damaged_streams --data FOLDER``, where FOLDER holds ``dicom``. Frames of
real images are damaged at random places of their coded data and decoded as received images are.
``silent`` counts frames that decode to an image which is not the true one: no codestream has a
checksum, so damage that keeps its structure cannot be seen by anyone. DCMTK's decoders are asked
about the same frames where they are installed.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame

from benchmarks.machine import as_list, provenance
from encoders.image import PixelError
from encoders.pixel_data import decode_frame, open_pixels

Values = NDArray[Any]
Decoder = Callable[[Dataset, bytes], Values | None]

END = b"\xff\xd9"
FILES = {
    "syntaxes/CT1_RLE.dcm": ("RLE", "dcmdrle"),
    "chest/chest_pa.dcm": ("JPEG baseline", "dcmdjpeg"),
    "syntaxes/MR1_JPLY.dcm": ("JPEG extended, 12 bits", "dcmdjpeg"),
    "syntaxes/CT1_JPLL.dcm": ("JPEG lossless SV1, CT1", "dcmdjpeg"),
    "syntaxes/MR1_JPLL.dcm": ("JPEG lossless SV1, MR1", "dcmdjpeg"),
    "syntaxes/CT1_JLSL.dcm": ("JPEG-LS lossless", "dcmdjpls"),
    "syntaxes/CT1_JLSN.dcm": ("JPEG-LS near-lossless", "dcmdjpls"),
    "syntaxes/MR1_J2KR.dcm": ("JPEG 2000 lossless", ""),
    "syntaxes/MR1_J2KI.dcm": ("JPEG 2000", ""),
    "formats/HTJ2KLossless_08_RGB.dcm": ("HTJ2K lossless", ""),
    "formats/HTJ2K_08_RGB.dcm": ("HTJ2K", ""),
}


def damages(frame: bytes, start: int, count: int, rng: Random) -> Iterator[tuple[str, bytes]]:
    """Yield each kind of damage and a frame so damaged, ``count`` of each."""
    end = len(frame) - 4
    for _ in range(count):
        lost = rng.choice((1, 2, 16, 100, 1000))
        at = rng.randrange(start, end - lost)
        yield "1 to 1000 bytes lost", frame[:at] + frame[at + lost :]
        at = rng.randrange(start, end)
        yield "cut off, end marker put", frame[:at] + END
        yield "end marker amid the data", frame[:at] + END + frame[at:]
        at = rng.randrange(start, end - 64)
        yield "64 bytes zeroed", frame[:at] + bytes(64) + frame[at + 64 :]
        at = rng.randrange(start, end)
        flipped = frame[at] ^ 1 << rng.randrange(8)
        yield "one bit flipped", frame[:at] + bytes([flipped]) + frame[at + 1 :]


def coded_from(frame: bytes) -> int:
    """Return the offset of the coded data: behind SOS, SOD, or the header of RLE."""
    if frame.startswith(b"\xff\x4f"):
        return frame.find(b"\xff\x93") + 2
    return frame.find(b"\xff\xda") + 14 if frame.startswith(b"\xff\xd8") else 64


def ours(ds: Dataset, frame: bytes) -> Values | None:
    ds.PixelData = encapsulate([frame])
    try:
        with open_pixels(ds) as pixels:
            return decode_frame(pixels, 0).values
    except PixelError:
        return None


def dcmtk(command: str, folder: Path) -> Decoder:
    """Return a decoder that is one of DCMTK's commands."""

    def decode(ds: Dataset, frame: bytes) -> Values | None:
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR = "OB"
        ds.save_as(folder / "in.dcm", enforce_file_format=True)
        arguments = [command, str(folder / "in.dcm"), str(folder / "out.dcm")]
        if subprocess.run(arguments, capture_output=True, check=False).returncode:
            return None
        return np.frombuffer(dcmread(folder / "out.dcm").PixelData, np.uint8)

    return decode


def counts(path: Path, decode: Decoder, count: int, seed: int) -> dict[str, Counter[str]]:
    """Return how many damaged frames of each kind were refused, true all the same, or neither."""
    ds = dcmread(path)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    true, found = decode(ds, frame), dict[str, Counter[str]]()
    if true is None:
        raise ValueError(f"{path} is refused as it is")
    for kind, damaged in damages(frame, coded_from(frame), count, Random(seed)):
        values = decode(ds, damaged)
        outcome = _outcome(values, true)
        found.setdefault(kind, Counter())[outcome] += 1
    return found


def _outcome(values: Values | None, true: Values) -> str:
    if values is None:
        return "refused"
    return "same" if np.array_equal(values, true) else "silent"


def rows(data: Path, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    head = False
    for name, (syntax, tool) in FILES.items():
        judges: dict[str, Decoder] = {"ours": ours}
        if tool and (command := shutil.which(tool, path="/usr/bin")):
            judges[tool] = dcmtk(command, folder)
        for judge, decode in judges.items():
            found = counts(data / "dicom" / name, decode, count, seed)
            if not head:
                yield f"| syntax | decoder | {' | '.join(found)} |"
                yield f"|---|---|{'---|' * len(found)}"
                head = True
            cells = (f"{outcomes['silent']} of {outcomes.total()}" for outcomes in found.values())
            yield f"| {syntax} | {judge} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds dicom")
    parser.add_argument("--count", type=int, default=30, help="frames of each kind of damage")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print("\n".join(as_list(provenance("benchmarks.damaged_streams"))), end="\n\n")
    print("Decoded, and not to the true image:\n")
    with tempfile.TemporaryDirectory() as folder:
        for line in rows(arguments.data, arguments.count, arguments.seed, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()

"""Reading in a process of its own: same pixels, and whatever kills it becomes a reason."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from encoders.bounded_process import Limits
from encoders.grayscale import read_image
from encoders.image import PixelError
from encoders.pixel_reader import PixelReader
from tests.encoders.objects import gray, image_object, set_raw, written
from tests.waiting import wait_until


@pytest.fixture
def reader() -> Iterator[PixelReader]:
    with PixelReader() as opened:
        yield opened


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(image_object(gray(0, 50, 100), WindowCenter=50, WindowWidth=100), tmp_path)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 100 kB whose 49 million pixels take some 400 MB to read."""
    folder = tmp_path / "large"
    folder.mkdir()
    ds = image_object(np.zeros((7000, 7000), np.uint16))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds["PixelData"].VR = "OW"
    return written(ds, folder)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """An object with 150,000 empty functional groups, which take seconds to parse."""
    folder = tmp_path / "slow"
    folder.mkdir()
    ds = image_object(gray(0, 1))
    set_raw(ds, 0x52009230, "SQ", b"\xfe\xff\x00\xe0\0\0\0\0" * 150_000)
    return written(ds, folder)


def children() -> list[int]:
    """Those that read pixels; other tests of the run may have left a helper of Python's."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in listed if b"pixel_process" in _command_line(pid)]


def _command_line(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_image_is_what_reading_it_here_gives(reader: PixelReader, good: Path) -> None:
    theirs, ours = reader.read(good), read_image(good)
    kept = np.rint(ours.pixels * 65535) / 65535  # in 16 bits
    np.testing.assert_allclose(theirs.pixels, kept, atol=1e-7)
    assert theirs.pixels.dtype == np.float32
    assert theirs.rules == ours.rules


def test_a_frame_is_chosen_by_index(reader: PixelReader, tmp_path: Path) -> None:
    stored = np.array([[[0, 9]], [[25, 9]], [[50, 9]]], np.uint16)
    path = written(image_object(stored, WindowCenter=25, WindowWidth=51), tmp_path)
    assert reader.read(path, 2).rules["frame_number"] == 3
    assert reader.read(path).rules["frame_number"] == 2


def test_a_reason_comes_back_and_the_process_lives_on(reader: PixelReader, good: Path) -> None:
    reader.read(good)  # only now it is certain that the process has its own command line
    before = children()
    with pytest.raises(PixelError, match=r"absent\.dcm cannot be opened"):
        reader.read(good.with_name("absent.dcm"))
    assert reader.read(good).pixels.shape == (1, 3)
    assert children() == before


@pytest.mark.parametrize(
    ("values", "window", "rule"), [((7, 7), 50, "constant"), ((7, 8), 5000, "window of the object")]
)
def test_a_blank_image_is_refused(
    reader: PixelReader, tmp_path: Path, values: tuple[int, ...], window: int, rule: str
) -> None:
    attributes = {} if rule == "constant" else {"WindowCenter": window, "WindowWidth": 10}
    path = written(image_object(gray(*values), **attributes), tmp_path)
    with pytest.raises(PixelError, match=f"blank: {rule}"):
        reader.read(path)


def test_too_much_memory_is_a_reason(large: Path, good: Path) -> None:
    with PixelReader(Limits(memory=200 << 20)) as reader:
        with pytest.raises(PixelError, match=r"memory is allowed for|200 MiB of memory"):
            reader.read(large)
        assert reader.read(good).pixels.shape == (1, 3)


def test_too_much_processor_time_is_a_reason(slow: Path, good: Path) -> None:
    with PixelReader(Limits(cpu_s=1)) as reader:
        with pytest.raises(PixelError, match="1 s of processor time"):
            reader.read(slow)
        assert reader.read(good).pixels.shape == (1, 3)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE])
def test_a_decoder_that_dies_is_a_reason(
    reader: PixelReader, good: Path, number: signal.Signals
) -> None:
    reader.read(good)
    (child,) = children()
    os.kill(child, number)
    with pytest.raises(PixelError, match=f"died on it .{number.name}"):
        reader.read(good)
    assert reader.read(good).pixels.shape == (1, 3)


def test_a_process_killed_from_outside_is_no_fault_of_the_file(
    reader: PixelReader, good: Path
) -> None:
    reader.read(good)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match="exit code -9"):
        reader.read(good)
    assert reader.read(good).pixels.shape == (1, 3)


def test_storage_that_hangs_is_no_fault_of_the_file(good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "never.dcm"
    os.mkfifo(pipe)  # opening it for reading waits for a writer
    with PixelReader(stalled_s=0.5) as reader, pytest.raises(ChildProcessError, match=r"0\.5 s"):
        reader.read(pipe)
    assert children() == []


def test_the_process_ends_with_the_one_that_started_it(good: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from encoders.pixel_reader import PixelReader\n"
        "with PixelReader() as reader:\n"
        "    reader.read(Path(sys.argv[1]))\n"
        "    print(Path(f'/proc/self/task/{os.getpid()}/children').read_text())\n"
        "    sys.stdout.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(good)], capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    child = Path(f"/proc/{int(ended.stdout)}")
    wait_until(
        lambda: not child.exists() or "Z" in (child / "stat").read_text().split()[2], "child gone"
    )

"""Whether an encoder works here, and how fast: loaded, and shown an image made for it."""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from dicom_node.database import open_database
from dicom_node.making import differences, encoder_options, summary_of
from dicom_node.settings import Settings
from dicom_node.verbs.encoder_rows import Known, known_to_archive, maker_here, name_in_use
from dicom_node.verbs.speech import could_not, put
from encoders import registry
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderOptions
from encoders.image import GrayscaleImage

PASSES = 3
LONGEST_PASS_S = 2.0
"""How long a pass may take, about; a slow network gets a smaller batch for it."""


def run_encoders_check(chosen: argparse.Namespace, settings: Settings) -> int:
    """Loads an encoder, embeds a made image, and prints its space, its device and its speed."""
    known = _asked(settings)
    name = chosen.encoder or name_in_use(settings, known)
    options = encoder_options(settings, maker_here(settings, known, name, chosen.weights))
    entry = registry.find(name)
    encoder = registry.make(entry, options)
    if name == "precomputed":  # looks vectors up: it has none for a made image
        put(f"{name}: space {encoder.space.id}, dimension {encoder.space.dimension}")
        return 0
    put(f"{name}: space {encoder.space.id}, dimension {encoder.space.dimension}")
    put(f"  {_speed(encoder, _devices(options) if entry.preprocessing else None)}")
    if chosen.encoder is None and known.used is not None:
        made = summary_of(encoder.space)
        if made != known.used.summary:
            return could_not(
                f"the archive answers in space {known.used.id}, and its encoder made here is of "
                f"space {made.id}: {differences(known.used.summary, made)}"
            )
    return 0


def _asked(settings: Settings) -> Known:
    """Starts the archive's own database where there is one: loading takes longer anyway."""
    with ExitStack() as stack:
        if settings.database_url is None and (settings.data_folder / "postgres").exists():
            stack.enter_context(open_database(settings))
        return known_to_archive(settings)


def _devices(options: EncoderOptions) -> str:
    from encoders.devices import devices_of  # noqa: PLC0415 (needs torch)

    return ", ".join(map(str, devices_of(options.device)))


def _speed(encoder: CheckedEncoder, devices: str | None) -> str:
    image = GrayscaleImage(_made())
    prepared = encoder.prepare(image)
    encoder.infer([prepared])  # what is done once only, such as compiling, is not counted
    prepare_s = min(_seconds(lambda: encoder.prepare(image)) for _ in range(PASSES))
    if devices is None:  # no network: all the work is in preparing
        return f"{1 / prepare_s:.0f} images/s by one thread"
    one_s = _seconds(lambda: encoder.infer([prepared]))
    batch = [prepared] * max(1, min(encoder.batch, int(LONGEST_PASS_S / one_s)))
    encoder.infer(batch)
    pass_s = min(_seconds(lambda: encoder.infer(batch)) for _ in range(PASSES))
    return (
        f"{len(batch) / pass_s:.1f} images/s on {devices} in batches of {len(batch)}; "
        f"one thread prepares {1 / prepare_s:.0f}/s"
    )


def _made() -> NDArray[np.float32]:
    """A disc on a ramp with grain, float32 in [0, 1], shape (512, 512)."""
    rows, columns = np.mgrid[-1:1:512j, -1:1:512j]
    disc = (rows**2 + columns**2 < 0.5) * 0.4
    grain = np.random.default_rng(0).random((512, 512)) * 0.1
    return np.asarray(disc + (columns + 1) * 0.25 + grain, np.float32)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return max(time.perf_counter() - start, 1e-9)

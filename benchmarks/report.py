"""The time to make the report and the picture of an answer, as a Markdown table.

Run ``python -m benchmarks.report``. On one core: an answer with so many hits, each with three
labels and a picture of 512 x 512 pixels, as the node keeps them, becomes a Structured Report and
a contact sheet, both as the bytes of DICOM files. Medians and 95th percentiles of processor time,
report and picture in turn, so that noise meets both alike.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.machine import as_list, provenance
from dicom_node.report.device import Device
from dicom_node.report.documents import encoded, make_documents
from dicom_node.settings import ReportSettings
from storage.answer import Answer, Hit, ImageReference, Label, SpaceSummary, StudyRecord
from storage.pictures import Pictures

HITS = (1, 10, 20, 100)
TARGET_HITS, TARGET_MS = 10, 150.0
SIDE = 512
DX = "1.2.840.10008.5.1.4.1.1.1.1"
SPACE = SpaceSummary("0123456789abcdef", "made", "1", "", "1", "1", "1", "mean", 768, "cosine")
LABELS = (
    Label("Cardiomegaly", 1, "8186001", "SCT"),
    Label("Tube in place"),
    Label("Pneumothorax", 0, "36118008", "SCT"),
)


def _image(number: int) -> ImageReference:
    uid = f"1.2.3.{number}"
    return ImageReference(f"{uid}.1", DX, f"{uid}.1.1", None, "DX", "CHEST", "PA")


def _study(number: int) -> StudyRecord:
    uid = f"1.2.3.{number}"
    attributes = {"0020000D": {"vr": "UI", "Value": [uid]}}
    return StudyRecord(number, uid, "", "", "F", 61, "20200304", None, attributes)


def made_answer(hits: int) -> Answer:
    """An answer with so many hits and one prior."""
    found = [
        Hit(rank, _study(rank), _image(rank), 1 - rank / 512, 99.9 - rank / 8, LABELS)
        for rank in range(1, hits + 2)
    ]
    return Answer(
        *(_study(0), _image(0), SPACE, 12345, hits, 20.0),
        hits=tuple(found[:-1]),
        priors=(found[-1],),
    )


def made_pictures(count: int) -> Pictures:
    """Pictures of smooth noise: they deflate about as badly as radiographs do."""
    random = np.random.default_rng(1)
    pictures: dict[tuple[str, int | None], bytes] = {}
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 255, (64, 64), np.uint8))
        smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        grainy = np.clip(smooth + random.integers(-4, 5, smooth.shape), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(grainy).save(buffer, "PNG")
        pictures[_image(number).sop_instance_uid, None] = buffer.getvalue()
    return pictures


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def measure(hits: int, rounds: int) -> dict[str, tuple[list[float], int]]:
    """Milliseconds of processor time, and bytes: of the report alone, and with its picture."""
    answer, pictures = made_answer(hits), made_pictures(hits + 2)
    device = Device(uid="2.25.1", ae_title="LIKENESS", software_version="1")
    size = 0

    def make(picture: bool) -> Callable[[], None]:
        def work() -> None:
            nonlocal size
            documents = make_documents(
                answer,
                device=device,
                rules=ReportSettings(picture=picture),
                pictures=lambda: pictures,
                created=datetime(2026, 1, 1),
            )
            size = len(encoded(documents.report))
            size += len(encoded(documents.picture)) if documents.picture else 0

        return work

    kinds = {"report": make(picture=False), "report and picture": make(picture=True)}
    found: dict[str, tuple[list[float], int]] = {}
    for turn in tqdm(range(rounds + 1), desc=f"{hits} hits", disable=None):
        for name, work in kinds.items():
            taken = _milliseconds(work)
            times, _ = found.setdefault(name, ([], 0))
            if turn:  # the first reads fonts and tables
                times.append(taken)
            found[name] = times, size
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    chosen = parser.parse_args()
    print("\n".join(as_list(provenance("benchmarks.report"))) + "\n")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| hits | what | median ms | p95 ms | bytes |\n|---|---|---|---|---|")
    met = True
    for hits in HITS:
        for name, (times, size) in measure(hits, chosen.rounds).items():
            median, p95 = np.percentile(times, (50, 95))
            print(f"| {hits} | {name} | {median:.0f} | {p95:.0f} | {size:,} |", flush=True)
            met &= hits != TARGET_HITS or bool(median <= TARGET_MS)
    print(f"\n{TARGET_HITS} hits within {TARGET_MS:.0f} ms: {'met' if met else 'not met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

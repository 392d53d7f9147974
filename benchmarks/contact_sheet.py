"""The contact sheet of a synthetic answer: as the README's sample, and what it takes to make it.

Run ``python -m benchmarks.contact_sheet --write FOLDER``. A small synthetic archive is asked with
a follow-up study, by the encoder ``baseline`` and brute force, without a node. FOLDER gets
``contact-sheet.png``, the sheet 1024 pixels wide; printed is the process time of making the
Secondary Capture and encoding it as a DICOM file, the median of ten.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from benchmarks.machine import as_list, provenance
from dicom_node.reading import reference_of
from dicom_node.received import study_facts
from dicom_node.report.capture import make_picture
from dicom_node.report.device import Device
from dicom_node.report.documents import encoded
from dicom_node.version import SOFTWARE_VERSION
from encoders.choice import choose_images
from encoders.grayscale import read_image
from encoders.header import ImageHeader
from encoders.picture import to_png
from encoders.registry import create
from evaluation.synthetic.archive import SyntheticStudy, make_study
from storage.answer import Answer, Hit, ImageReference, Label, SpaceSummary, StudyRecord
from storage.search import percentile

ASKED, K, LEVEL = 109, 10, 75.0  # the last of a block of 11 is a follow-up
WIDTH = 1024
REPEATS = 10
CREATED = datetime(2026, 11, 21, 9, 30)


@dataclass(frozen=True)
class Indexed:
    """A radiograph of the archive with its study, vector and picture."""

    study: StudyRecord
    labels: tuple[Label, ...]
    image: ImageReference
    vector: NDArray[np.float32]
    picture: bytes


def indexed(number: int, study: SyntheticStudy) -> Indexed:
    """The study's first radiograph as the worker would index it."""
    dataset = study.datasets[0]
    chosen = choose_images([ImageHeader.from_dataset(dataset)]).chosen[0]
    pixels = read_image(dataset)
    return Indexed(
        StudyRecord(number, study.study_instance_uid, **study_facts(dataset)),
        tuple(Label(name, value) for name, value in study.labels.items()),
        reference_of(chosen, pixels.rules),
        create("baseline").embed([pixels])[0],
        to_png(pixels),
    )


def radiographs(count: int) -> Iterator[Indexed]:
    """The archive's first studies but for CT."""
    for number in range(count):
        study = make_study(number)
        if study.modality != "CT":
            yield indexed(number, study)


def answered(query: Indexed, archive: Sequence[Indexed]) -> Answer:
    """What the node would answer, by comparing the query with everything."""
    others = [entry for entry in archive if entry.study.patient_id != query.study.patient_id]
    own = [entry for entry in archive if entry.study.patient_id == query.study.patient_id]
    spread, space = similarities_between_patients(archive), create("baseline").space
    return Answer(
        query.study,
        query.image,
        SpaceSummary(id=space.id, **asdict(space)),
        searched=len(others),
        asked=K,
        level=LEVEL,
        hits=hits(query, others, spread)[:K],
        priors=hits(query, own, spread),
    )


def hits(
    query: Indexed, entries: Sequence[Indexed], spread: NDArray[np.float64]
) -> tuple[Hit, ...]:
    found = sorted(((float(query.vector @ e.vector), e) for e in entries), key=lambda f: -f[0])
    return tuple(
        Hit(rank, entry.study, entry.image, value, percentile(spread, value), entry.labels)
        for rank, (value, entry) in enumerate(found, start=1)
    )


def similarities_between_patients(archive: Sequence[Indexed]) -> NDArray[np.float64]:
    vectors = np.stack([entry.vector for entry in archive])
    patients = np.array([entry.study.patient_id for entry in archive])
    between = np.triu(patients[:, None] != patients[None, :])
    return np.sort((vectors @ vectors.T)[between].astype(np.float64))


def pictures_of(entries: Sequence[Indexed]) -> Mapping[tuple[str, int | None], bytes]:
    return {(e.image.sop_instance_uid, e.image.frame_number): e.picture for e in entries}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, metavar="FOLDER")
    folder: Path = parser.parse_args().write
    told = provenance("benchmarks.contact_sheet")
    archive = list(radiographs(ASKED))
    query = indexed(ASKED, make_study(ASKED))
    answer, pictures = answered(query, archive), pictures_of([*archive, query])

    def make() -> Dataset:
        return make_picture(
            answer,
            pictures,
            device=Device("2.25.1", "LIKENESS", SOFTWARE_VERSION),
            sop_instance_uid="2.25.2",
            series_instance_uid="2.25.3",
            created=CREATED,
        )

    sheet = Image.fromarray(make().pixel_array)
    height = round(sheet.height * WIDTH / sheet.width)
    folder.mkdir(parents=True, exist_ok=True)
    small = sheet.resize((WIDTH, height), Image.Resampling.LANCZOS)
    small.save(folder / "contact-sheet.png", optimize=True)
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        size = len(encoded(make()))
        seconds.append(time.process_time() - began)
    print("\n".join(as_list(told)))
    print(f"\n{sheet.width} x {sheet.height} pixels, {len(answer.hits)} hits, {size:,} bytes")
    middle, least = np.median(seconds) * 1000, min(seconds) * 1000
    print(f"median of {REPEATS}: {middle:.1f} ms, least {least:.1f} ms")


if __name__ == "__main__":
    main()

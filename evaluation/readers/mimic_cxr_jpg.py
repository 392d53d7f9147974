"""MIMIC-CXR-JPG 2.x (Johnson et al. 2019): 377,110 radiographs of 227,827 studies.

``mimic-cxr-2.0.0-split.csv.gz``, ``-metadata``, and ``-chexpert`` or ``-negbio`` (in any release
2.x, and unpacked too), and the images as ``files/p10/p10000032/s50414267/<dicom_id>.jpg``.
The set tells neither sex nor age: they are in MIMIC-IV (Johnson et al. 2023), whose module ``hosp``
has ``patients.csv.gz``, of the same patients, with dates shifted alike. Put it beside the tables.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.collection import UNSAID, Collection, States
from evaluation.readers.cells import (
    age_bands,
    ages_at,
    number_of,
    numbers,
    sex_of,
    split_of,
    text_of,
    texts,
    year_of,
)
from evaluation.readers.chexpert import LABELS, states_in
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images, if_there, with_images
from evaluation.readers.remarks import remarked
from evaluation.readers.table import Table, read_table

NAME = "MIMIC-CXR-JPG"
LABELERS = ("chexpert", "negbio")
PATIENTS = ("patients.csv.gz", "patients.csv")
WITHOUT_PATIENTS = (
    f"{NAME} tells neither sex nor age: put MIMIC-IV's hosp/patients.csv.gz beside its tables, or "
    "name it (patients=FILE)"
)


def read(
    place: Path,
    *,
    images: Images = Images.ALL,
    labeler: str = LABELERS[0],
    patients: Path | None = None,
) -> Collection:
    """The set as it was published; each image has the labels of its study.

    An empty cell is UNSAID, and so is everything of a study whose report the labeler could not
    use, which has no row. With MIMIC-IV's table of patients there are sex and age at the study:
    the anchor's age, and the years from the anchor's to the study's. MIMIC-IV tells each age over
    89 as 91, so that of those patients an age says no more than that they are old.

    Args:
        place: the folder of the tables and of ``files``.
        images: which image files must be there.
        labeler: whose labels: chexpert or negbio.
        patients: MIMIC-IV's table; looked for in the folder where None.

    Raises:
        ReaderError: a file, a column or an image is missing, a cell is faulty, an image or a
            patient stands twice, an image has no metadata, or there is no such labeler.
    """
    if labeler not in LABELERS:
        raise ReaderError(f"{NAME} has no labels by {labeler!r}; it has {', '.join(LABELERS)}")
    table = read_table(_table_in(place, "split"), "dicom_id", "study_id", "subject_id", "split")
    ids, studies = table.unique("dicom_id"), table.filled("study_id")
    metadata = read_table(_table_in(place, "metadata"), "dicom_id", "ViewPosition")
    rows = _rows(metadata, table, ids)
    views = metadata.parsed("ViewPosition", text_of)
    found = Collection(
        name=NAME,
        ids=ids,
        patients=table.filled("subject_id"),
        label_names=LABELS,
        states=_states(_table_in(place, labeler), studies),
        attributes={"view": texts([views[row] for row in rows])},
        splits=tuple(table.parsed("split", split_of)),
        studies=studies,
    )
    if path := patients or _patients_in(place):
        years = metadata.parsed("StudyDate", year_of)
        found = _with_patients(found, path, [years[row] for row in rows])
    else:
        found = remarked(found, WITHOUT_PATIENTS)
    return with_images(found, images, place, lambda: if_there(_files(place, found)))


def recognises(place: Path) -> bool:
    """Whether the table of splits lies there."""
    return bool(_tables_in(place, "split"))


def _tables_in(place: Path, kind: str) -> list[Path]:
    packed = sorted(place.glob(f"mimic-cxr-2.*-{kind}.csv.gz"))
    return packed or sorted(place.glob(f"mimic-cxr-2.*-{kind}.csv"))


def _table_in(place: Path, kind: str) -> Path:
    found = _tables_in(place, kind)
    if len(found) > 1:
        raise ReaderError(
            f"{place} holds {some([path.name for path in found])}; leave one release's there"
        )
    return found[0] if found else place / f"mimic-cxr-2.0.0-{kind}.csv.gz"


def _states(path: Path, studies: Sequence[str]) -> States:
    table = read_table(path, "study_id", *LABELS)
    row_of = {study: row for row, study in enumerate(table.unique("study_id"))}
    said = np.vstack([states_in(table, LABELS), np.full(len(LABELS), UNSAID, np.int8)])
    return np.asarray(said[[row_of.get(study, -1) for study in studies]])


def _rows(metadata: Table, table: Table, ids: Sequence[str]) -> list[int]:
    """The row of each image in the metadata."""
    row_of = {image: row for row, image in enumerate(metadata.unique("dicom_id"))}
    lost = next((row for row, image in enumerate(ids) if image not in row_of), None)
    if lost is not None:
        why = f"{ids[lost]} is not in {metadata.path}; fetch both again"
        raise table.fault(lost, "dicom_id", why)
    return [row_of[image] for image in ids]


def _patients_in(place: Path) -> Path | None:
    return next((place / name for name in PATIENTS if (place / name).is_file()), None)


def _with_patients(found: Collection, path: Path, years: Sequence[float]) -> Collection:
    """The images with sex and age.

    Args:
        found: without them.
        path: of MIMIC-IV's table.
        years: of each image's study.
    """
    table = read_table(path, "subject_id", "gender", "anchor_age", "anchor_year")
    row_of = {patient: row for row, patient in enumerate(table.unique("subject_id"))}
    rows = [row_of.get(patient, len(table)) for patient in found.patients]
    sexes = [*table.parsed("gender", sex_of), ""]
    anchors = zip(
        table.parsed("anchor_year", number_of), table.parsed("anchor_age", number_of), strict=True
    )
    births = [*(year - age for year, age in anchors), math.nan]
    ages = ages_at(years, [births[row] for row in rows])
    attributes = {"sex": texts([sexes[row] for row in rows]), "age_band": age_bands(ages)}
    known = replace(
        found,
        attributes={**found.attributes, **attributes},
        numbers={**found.numbers, "age": numbers(ages)},
    )
    if strangers := sorted(set(found.patients) - row_of.keys()):
        told = f"{len(strangers)} of its patients are not in {path}, their sex and age unknown"
        known = remarked(known, f"{NAME}: {told}: {some(strangers)}")
    return known


def _files(place: Path, found: Collection) -> list[Path]:
    return [
        place / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study}" / f"{image}.jpg"
        for image, patient, study in zip(found.ids, found.patients, found.studies, strict=True)
    ]

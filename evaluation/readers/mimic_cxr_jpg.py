"""MIMIC-CXR-JPG 2.x (Johnson et al. 2019): 377,110 radiographs of 227,827 studies.

``mimic-cxr-2.0.0-split.csv.gz``, ``-metadata``, and ``-chexpert`` or ``-negbio`` (in any release
2.x, and unpacked too), and the images as ``files/p10/p10000032/s50414267/<dicom_id>.jpg``.
The set tells neither sex nor age.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.collection import UNSAID, Collection, States
from evaluation.readers.cells import split_of, text_of, texts
from evaluation.readers.chexpert import LABELS, states_in
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images, if_there, with_images
from evaluation.readers.table import Table, read_table

NAME = "MIMIC-CXR-JPG"
LABELERS = ("chexpert", "negbio")


def read(place: Path, *, images: Images = Images.ALL, labeler: str = LABELERS[0]) -> Collection:
    """The set as it was published; each image has the labels of its study.

    An empty cell is UNSAID, and so is everything of a study whose report the labeler could not
    use, which has no row.

    Args:
        place: the folder of the tables and of ``files``.
        images: which image files must be there.
        labeler: whose labels: chexpert or negbio.

    Raises:
        ReaderError: a file, a column or an image is missing, a cell is faulty, an image stands
            twice or has no metadata, or there is no such labeler.
    """
    if labeler not in LABELERS:
        raise ReaderError(f"{NAME} has no labels by {labeler!r}; it has {', '.join(LABELERS)}")
    table = read_table(_table_in(place, "split"), "dicom_id", "study_id", "subject_id", "split")
    ids, studies = table.unique("dicom_id"), table.filled("study_id")
    found = Collection(
        name=NAME,
        ids=ids,
        patients=table.filled("subject_id"),
        label_names=LABELS,
        states=_states(_table_in(place, labeler), studies),
        attributes={"view": texts(_views(_table_in(place, "metadata"), table, ids))},
        splits=tuple(table.parsed("split", split_of)),
        studies=studies,
    )
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


def _views(path: Path, table: Table, ids: Sequence[str]) -> list[str]:
    metadata = read_table(path, "dicom_id", "ViewPosition")
    views = metadata.parsed("ViewPosition", text_of)
    view_of = dict(zip(metadata.unique("dicom_id"), views, strict=True))
    lost = next((row for row, image in enumerate(ids) if image not in view_of), None)
    if lost is not None:
        raise table.fault(lost, "dicom_id", f"{ids[lost]} is not in {path}; fetch both again")
    return [view_of[image] for image in ids]


def _files(place: Path, found: Collection) -> list[Path]:
    return [
        place / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study}" / f"{image}.jpg"
        for image, patient, study in zip(found.ids, found.patients, found.studies, strict=True)
    ]

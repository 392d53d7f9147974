"""PadChest (Bustos et al. 2020): 160,868 radiographs of 67,625 patients.

``PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv``, or gzipped, and the images in folders
``0`` to ``54`` (the column ImageDir), in ``images``, in ``images-224``, or beside the table.
"""

import ast
from pathlib import Path

from evaluation.collection import UNSAID, Collection
from evaluation.readers.cells import (
    age_bands,
    ages_at,
    number_of,
    numbers,
    sex_of,
    text_of,
    texts,
    year_of,
)
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images, find_in, with_images
from evaluation.readers.labels import names_in, states_named
from evaluation.readers.table import Table, read_table

NAME = "PadChest"
TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
PATTERN = "PADCHEST_chest_x_ray_images_labels_160K*.csv"
_REQUIRED = ("PatientID", "PatientBirth", "PatientSex_DICOM", "StudyDate_DICOM", "Projection")
_FLAT = ("images", "images-224", "")
_NOTHING = frozenset({"", "nan", "[]", "[nan]"})


def read(place: Path, *, images: Images = Images.ALL) -> Collection:
    """The set as it was published.

    Labels are those of the column Labels in small letters, ``normal``, ``exclude`` and
    ``unchanged`` among them; a row without any is UNSAID throughout. The set has years of birth
    and dates of study, so that an age may be a year too great.

    Raises:
        ReaderError: the table, a column or an image is missing, a cell is faulty, or an image
            stands twice.
    """
    table = read_table(_table_in(place), "ImageID", "Labels", *_REQUIRED)
    ids = table.unique("ImageID")
    years = table.parsed("StudyDate_DICOM", year_of)
    ages = ages_at(years, table.parsed("PatientBirth", number_of))
    labels = table.parsed("Labels", _labels)
    names = names_in(labels)
    attributes = {
        "view": texts(table.parsed("Projection", text_of)),
        "sex": texts(table.parsed("PatientSex_DICOM", sex_of)),
        "age_band": age_bands(ages),
    }
    if table.has("Manufacturer_DICOM"):
        attributes["scanner"] = texts(table.parsed("Manufacturer_DICOM", text_of))
    found = Collection(
        name=NAME,
        ids=ids,
        patients=table.filled("PatientID"),
        label_names=names,
        states=states_named(labels, names, nothing=UNSAID),
        attributes=attributes,
        numbers={"age": numbers(ages)},
        studies=table.filled("StudyID") if table.has("StudyID") else (),
    )
    return with_images(found, images, place, lambda: find_in(_folders(place, table), ids))


def recognises(place: Path) -> bool:
    """Whether the set's table lies there."""
    return bool(_tables_in(place))


def _tables_in(place: Path) -> list[Path]:
    return sorted([*place.glob(PATTERN), *place.glob(f"{PATTERN}.gz")])


def _table_in(place: Path) -> Path:
    found = _tables_in(place)
    if len(found) > 1:
        raise ReaderError(f"{place} holds {some([path.name for path in found])}; leave one there")
    return found[0] if found else place / TABLE


def _folders(place: Path, table: Table) -> list[Path]:
    named = dict.fromkeys(table.column("ImageDir")) if table.has("ImageDir") else {}
    return [place / name for name in (*named, *_FLAT)]


def _labels(cell: str) -> tuple[str, ...]:
    """The labels of a Python list, each once: some are written with blanks, some are empty."""
    if cell.lower() in _NOTHING:
        return ()
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{cell!r} is no list of labels; one is ['pneumonia', 'normal']")
    return tuple(dict.fromkeys(name for label in found if (name := label.strip().lower())))

"""CheXpert of Stanford (Irvin et al. 2019): 224,316 radiographs of 65,240 patients.

``train.csv`` and ``valid.csv``, ``test.csv`` where it was got too, and the images in ``train``,
``valid`` and ``test``, as the small set and the test set have them; or in the folders named
``CheXpert-v1.0 batch ...`` as which the images of full size are handed out.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.collection import Collection, States
from evaluation.readers.cells import age_bands, age_of, numbers, sex_of, state_of, text_of, texts
from evaluation.readers.images import Images, if_there, with_images
from evaluation.readers.table import Table, first_cells, read_table
from evaluation.readers.together import together

NAME = "CheXpert"
LABELS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
TABLES = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}
OPTIONAL = "test.csv"
"""It was published later; copies of it lack the columns of sex, age and view."""
_BATCH_OF_TABLES = "CheXpert-v1.0 batch * (validate & csv)"
_BATCHES_OF_IMAGES = {
    "train": "CheXpert-v1.0 batch * (train *)",
    "valid": f"{_BATCH_OF_TABLES}/valid",
}
"""Where the images of full size lie: the patients' folders are right below."""
_PATH = re.compile(r"(?:.*/)?((?:train|valid|test)/(patient\d+)/(study\d+)/[^/]+)")


def read(place: Path, *, images: Images = Images.ALL) -> Collection:
    """The set as it was published; an empty cell is UNSAID, and No Finding a label like others.

    A study is named by its patient and number. The view is AP, PA, LL or RL where the set has
    it, else LATERAL.

    Raises:
        ReaderError: a file, a column or an image is missing, a cell is faulty, or an image stands
            twice.
    """
    found = together([_part(read_table(path, "Path")) for path in _tables_in(place)])
    return with_images(found, images, place, lambda: _files(place, found.ids))


def states_in(table: Table, labels: Sequence[str]) -> States:
    """The columns of CheXpert's labels as states, shape (rows, labels).

    Raises:
        ReaderError: a column is missing, or a cell is no state.
    """
    table.must_have(*labels)
    return np.array([table.parsed(name, state_of) for name in labels], np.int8).T


def recognises(place: Path) -> bool:
    """Whether a table with CheXpert's columns lies there."""
    return any({"Path", *LABELS} <= set(first_cells(path)) for path in _tables_in(place))


def _tables_in(place: Path) -> list[Path]:
    folders = [place, *sorted(place.glob(_BATCH_OF_TABLES))]
    found = {
        name: next((folder / name for folder in folders if (folder / name).is_file()), None)
        for name in TABLES
    }
    return [path or place / name for name, path in found.items() if path or name != OPTIONAL]


def _part(table: Table) -> Collection:
    if table.path.name != OPTIONAL:
        table.must_have("Sex", "Age", "Frontal/Lateral", "AP/PA")
    table.unique("Path")
    paths = table.parsed("Path", _parts_of)
    ages = table.parsed("Age", age_of) if table.has("Age") else [math.nan] * len(table)
    unknown = [""] * len(table)
    return Collection(
        name=NAME,
        ids=tuple(path[0] for path in paths),
        patients=tuple(path[1] for path in paths),
        label_names=LABELS,
        states=states_in(table, LABELS),
        attributes={
            "view": texts(_views(table) if table.has("AP/PA") else unknown),
            "sex": texts(table.parsed("Sex", sex_of) if table.has("Sex") else unknown),
            "age_band": age_bands(ages),
        },
        numbers={"age": numbers(ages)},
        splits=(TABLES[table.path.name],) * len(table),
        studies=tuple(f"{path[1]}/{path[2]}" for path in paths),
    )


def _parts_of(cell: str) -> tuple[str, str, str]:
    """The path below the set's folder, which has many names; the patient; the study."""
    found = _PATH.fullmatch(cell)
    if found is None:
        raise ValueError(
            f"{cell!r} is no path of {NAME}; one ends like train/patient00001/study1/"
            "view1_frontal.jpg"
        )
    return found[1], found[2], found[3]


def _views(table: Table) -> list[str]:
    sides = table.column("Frontal/Lateral")
    views = table.parsed("AP/PA", text_of)
    return [
        view or ("LATERAL" if side == "Lateral" else "")
        for view, side in zip(views, sides, strict=True)
    ]


def _files(place: Path, ids: Sequence[str]) -> list[Path | None]:
    batch_of = {
        (split, patient.name): patient
        for split, folders in _BATCHES_OF_IMAGES.items()
        for folder in sorted(place.glob(folders))
        for patient in folder.iterdir()
    }

    def file(one: str) -> Path:
        split, patient, rest = one.split("/", 2)
        folder = batch_of.get((split, patient))
        return place / one if folder is None else folder / rest

    return if_there(map(file, ids))

"""ChestX-ray14 of the NIH (Wang et al. 2017): 112,120 frontal radiographs of 30,805 patients.

Files, all beside each other: ``Data_Entry_2017.csv`` or ``Data_Entry_2017_v2020.csv``,
``train_val_list.txt``, ``test_list.txt``, ``BBox_List_2017.csv`` (984 boxes), and the images in
``images`` or in ``images_001/images`` to ``images_012/images``.
"""

from collections import defaultdict
from pathlib import Path

from evaluation.collection import Collection, CollectionError
from evaluation.readers.boxes import Box, Boxes
from evaluation.readers.cells import age_bands, age_of, number_of, numbers, sex_of, text_of, texts
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images, find_in, with_images
from evaluation.readers.labels import NO_FINDING, split_labels, states_named
from evaluation.readers.table import Table, read_lines, read_table

NAME = "ChestX-ray14"
LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
"""The later one first: it has Patient Sex for Patient Gender, and no age over 100."""
SPLITS = {"train_val_list.txt": "train", "test_list.txt": "test"}
"""The official lists; ``train`` holds what may be split again, by patients, for validation."""
BOXES = "BBox_List_2017.csv"
_BOX_LABELS = {"Infiltrate": "Infiltration"}
"""The boxes' list names one label otherwise than the table."""


def read(place: Path, *, images: Images = Images.ALL) -> Collection:
    """The set as it was published; every label that an image does not have is NEGATIVE.

    Raises:
        ReaderError: a file, a column or an image is missing, a cell is faulty, an image stands
            twice, or in none or both of the lists.
    """
    table = read_table(_table_in(place), "Image Index", "Finding Labels", "Patient ID")
    ids = table.unique("Image Index")
    ages = table.parsed("Patient Age", age_of)
    found = Collection(
        name=NAME,
        ids=ids,
        patients=table.filled("Patient ID"),
        label_names=LABELS,
        states=states_named(table.parsed("Finding Labels", _labels), LABELS),
        attributes={
            "view": texts(table.parsed("View Position", text_of)),
            "sex": texts(table.parsed(table.either("Patient Sex", "Patient Gender"), sex_of)),
            "age_band": age_bands(ages),
        },
        numbers={"age": numbers(ages)},
        splits=_splits(place, table, ids),
    )
    folders = (place / "images", *sorted(place.glob("images_*/images")))
    return with_images(found, images, place, lambda: find_in(folders, ids))


def read_boxes(place: Path) -> Boxes:
    """The boxes of the findings that radiologists drew, by image.

    Raises:
        ReaderError: the list or a column is missing, or a cell is faulty.
    """
    # the header reads "Bbox [x,y,w,h]": as CSV these are four columns
    columns = ("Bbox [x", "y", "w", "h]")
    table = read_table(place / BOXES, "Image Index", "Finding Label", *columns)
    labels = table.parsed("Finding Label", lambda cell: _label(_BOX_LABELS.get(cell, cell)))
    sizes = zip(*(table.parsed(name, number_of) for name in columns), strict=True)
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    images = table.filled("Image Index")
    for row, (image, label, (x, y, width, height)) in enumerate(
        zip(images, labels, sizes, strict=True)
    ):
        try:
            boxes[image].append(Box(label, x, y, width, height))
        except CollectionError as fault:
            raise table.fault(row, columns[2], str(fault)) from fault
    return {image: tuple(some_boxes) for image, some_boxes in boxes.items()}


def recognises(place: Path) -> bool:
    """Whether the set's table lies there."""
    return any((place / name).is_file() for name in TABLES)


def _table_in(place: Path) -> Path:
    return next((place / name for name in TABLES if (place / name).is_file()), place / TABLES[0])


def _labels(cell: str) -> tuple[str, ...]:
    found = split_labels(cell)
    if not found:
        raise ValueError(f"an empty cell; it reads {NO_FINDING} where there is nothing")
    return tuple(name if name == NO_FINDING else _label(name) for name in found)


def _label(name: str) -> str:
    if name not in LABELS:
        raise ValueError(f"{name!r} is no label of {NAME}; it has {', '.join(LABELS)}")
    return name


def _splits(place: Path, table: Table, ids: tuple[str, ...]) -> tuple[str, ...]:
    where: dict[str, str] = {}
    for name, split in SPLITS.items():
        listed = read_lines(place / name)
        twice = [image for image in listed if image in where]
        if twice:
            raise ReaderError(f"{place / name}: {some(twice)} stand in the other list too")
        where.update(dict.fromkeys(listed, split))
    lost = next((row for row, image in enumerate(ids) if image not in where), None)
    if lost is not None:
        why = f"{ids[lost]} is neither in {' nor in '.join(SPLITS)}; add it to one of them"
        raise table.fault(lost, "Image Index", why)
    return tuple(where[image] for image in ids)

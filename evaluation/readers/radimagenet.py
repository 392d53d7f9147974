"""RadImageNet (Mei et al. 2022): 1.35 million CT, MR and ultrasound images of 165 classes.

``RadiologyAI_train.csv``, ``_val`` and ``_test`` with ``filename,label``; a file name is
``radiology_ai/CT/lung/normal/lung-normal000032.png``, of ultrasound ``radiology_ai/US/liver/...``.
The tables lie beside the folder ``radiology_ai`` or in it. No patient is named.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Literal

from evaluation.collection import Collection
from evaluation.readers.cells import texts
from evaluation.readers.images import Images, if_there, with_images
from evaluation.readers.labels import states_named
from evaluation.readers.remarks import lone_images, remarked
from evaluation.readers.table import Table, read_table
from evaluation.readers.together import together

NAME = "RadImageNet"
FOLDER = "radiology_ai"
TABLES = {f"RadiologyAI_{split}.csv": split for split in ("train", "val", "test")}
LabelsFrom = Literal["column", "folder"]


def read(
    place: Path, *, images: Images = Images.ALL, labels_from: LabelsFrom = "column"
) -> Collection:
    """The set as it was published, each image with one label, and as its own patient.

    Args:
        place: the folder of the tables.
        images: which image files must be there.
        labels_from: ``column`` for the names of the column ``label``; ``folder`` for
            ``CT/lung/normal``, with ``US/liver/normal`` and ``US/thyroid/nodule`` for the folders
            of ultrasound that say no more than an organ (Denner et al.).

    Raises:
        ReaderError: a file, a column or an image is missing, a file name is of another layout, or
            an image stands twice.
    """
    tables = [read_table(place / name, "filename", "label") for name in TABLES]
    labels = [_labels(table, labels_from) for table in tables]
    names = tuple(sorted(set(chain(*labels))))
    parts = [_part(*one, names) for one in zip(tables, labels, strict=True)]
    found = remarked(together(parts), lone_images(NAME))
    root = place.parent if place.name == FOLDER else place
    return with_images(found, images, root, lambda: if_there(root / one for one in found.ids))


def recognises(place: Path) -> bool:
    """Whether one of the tables lies there."""
    return any((place / name).is_file() for name in TABLES)


def _part(table: Table, labels: Sequence[str], names: tuple[str, ...]) -> Collection:
    ids = table.unique("filename")
    folders = table.parsed("filename", _folders)
    return Collection(
        name=NAME,
        ids=ids,
        patients=ids,
        label_names=names,
        states=states_named([(label,) for label in labels], names),
        attributes={
            "modality": texts([one[0] for one in folders]),
            "anatomic_region": texts([one[1] for one in folders]),
        },
        splits=(TABLES[table.path.name],) * len(table),
    )


def _labels(table: Table, labels_from: LabelsFrom) -> Sequence[str]:
    if labels_from == "column":
        return table.filled("label")
    return ["/".join(one) for one in table.parsed("filename", _folders)]


def _folders(cell: str) -> tuple[str, ...]:
    """Modality, region and finding."""
    parts = PurePosixPath(cell).parts[:-1]
    below = parts[1:] if parts[:1] == (FOLDER,) else ()
    if len(below) == 2 and below[0] == "US":
        return ("US", "thyroid", "nodule") if below[1] == "thyroid_nodule" else (*below, "normal")
    if len(below) != 3 or below[0] not in {"CT", "MR"}:
        raise ValueError(f"{cell!r} is no file of {NAME}; one is {FOLDER}/CT/lung/normal/x.png")
    return below

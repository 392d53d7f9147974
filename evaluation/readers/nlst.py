"""NLST (National Lung Screening Trial): chest CT, and the weight of each participant.

The CT series come from The Cancer Imaging Archive, one folder for each, at any depth below the
place; the table of participants (``participant_d040722.csv`` or of another date: ``pid``,
``weight`` in pounds, ``age`` at randomization, ``gender``) comes from the Cancer Data Access
System. The table beside the images (``nlst_780_prsn_idc_20210527.csv``) tells no weight.
"""

import math
from collections import Counter
from pathlib import Path

import numpy as np

from encoders import eligibility
from evaluation.collection import Collection
from evaluation.readers.cells import age_bands, number_of, numbers, texts
from evaluation.readers.dicom_files import (
    DicomFile,
    NoImageError,
    files_below,
    left_out,
    read_file,
    told,
)
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images
from evaluation.readers.remarks import remarked
from evaluation.readers.table import Table, first_cells, read_table

NAME = "NLST"
PATTERNS = ("*participant*.csv", "*prsn*.csv")
_SEXES = {"1": "M", "2": "F", "": ""}
"""As the table codes gender."""
_MISSING = frozenset({".", ".M", ".N"})
"""As SAS writes what is missing, or does not apply."""


def read(
    place: Path, *, images: Images = Images.ALL, participants: Path | None = None
) -> Collection:
    """The CT series below a folder; an id is a Series Instance UID, a path the series' folder.

    Which slice stands for a series is chosen when it is read. ``numbers`` has ``weight`` in
    pounds and ``age`` in years at randomization, each NaN where the table has none. Of a folder
    the first file and the last are read.

    Args:
        place: the folder.
        images: with NONE, the folders are read all the same, and forgotten.
        participants: the table; looked for in the folder where None.

    Raises:
        ReaderError: the table or a column is missing, a cell is faulty, there is no CT series, a
            folder holds several series, a series has two folders, or its patient no row.
    """
    table = read_table(participants or _table_in(place))
    name_of = _columns(table)
    row_of = {pid: row for row, pid in enumerate(table.unique(name_of["pid"]))}
    series, remarks = _series(place)
    strangers = sorted({one.patient_id for one in series if one.patient_id not in row_of})
    if strangers:
        raise ReaderError(
            f"{table.path} has no row for {len(strangers)} patients whose CT lies in {place}: "
            f"{some(strangers)}; take the table of all participants"
        )
    rows = [row_of[one.patient_id] for one in series]

    def numbers_of(name: str) -> list[float]:
        column = table.parsed(name_of[name], _number)
        return [column[row] for row in rows]

    ages, sexes = numbers_of("age"), table.parsed(name_of["gender"], _sex)
    found = Collection(
        name=NAME,
        ids=tuple(one.header.series_instance_uid for one in series),
        patients=tuple(one.patient_id for one in series),
        label_names=(),
        states=np.empty((len(series), 0), np.int8),
        attributes={
            "sex": texts([sexes[row] for row in rows]),
            "age_band": age_bands(ages),
            "scanner": texts([one.header.scanner or "" for one in series]),
        },
        numbers={"weight": numbers(numbers_of("weight")), "age": numbers(ages)},
        studies=tuple(one.study for one in series),
        paths=() if images is Images.NONE else tuple(one.path.parent for one in series),
    )
    return remarked(found, *remarks)


def recognises(place: Path) -> bool:
    """Whether a table of participants lies there."""
    return any({"pid", "gender"} <= set(_small(first_cells(path))) for path in _tables_in(place))


def _tables_in(place: Path) -> list[Path]:
    return sorted(path for pattern in PATTERNS for path in place.glob(pattern))


def _table_in(place: Path) -> Path:
    with_weights = [path for path in _tables_in(place) if "weight" in _small(first_cells(path))]
    if len(with_weights) != 1:
        there = some([path.name for path in _tables_in(place)]) or "none"
        raise ReaderError(
            f"{place} holds {len(with_weights)} tables of participants with a column 'weight' "
            f"(there are: {there}); name the one from the Cancer Data Access System"
        )
    return with_weights[0]


def _columns(table: Table) -> dict[str, str]:
    """The columns by their names in small letters: deliveries differ in capitals."""
    found = dict(zip(_small(table.header), table.header, strict=True))
    for name in ("pid", "weight", "age", "gender"):
        if name not in found:
            table.must_have(name)
    return found


def _small(names: tuple[str, ...]) -> list[str]:
    return [name.lower() for name in names]


def _number(cell: str) -> float:
    found = math.nan if cell in _MISSING else number_of(cell)
    if found <= 0:
        raise ValueError(f"{cell!r} is no weight and no age; correct it or leave it empty")
    return found


def _sex(cell: str) -> str:
    if cell not in _SEXES and cell not in _MISSING:
        raise ValueError(f"{cell!r} is no gender; 1 is male, 2 is female")
    return _SEXES.get(cell, "")


def _series(place: Path) -> tuple[list[DicomFile], list[str]]:
    """The first file of each CT series, by UID; and a remark on what is left out."""
    folders: dict[Path, list[Path]] = {}
    for path in files_below(place):
        folders.setdefault(path.parent, []).append(path)
    reasons: Counter[str] = Counter()
    found: dict[str, DicomFile] = {}
    for folder, files in folders.items():
        try:
            first, last = read_file(files[0]), read_file(files[-1])
        except NoImageError as fault:
            reasons[str(fault)] += 1
            continue
        uid = first.header.series_instance_uid
        if last.header.series_instance_uid != uid:
            raise ReaderError(f"{folder} holds several series; keep each in a folder of its own")
        if uid in found:
            raise ReaderError(f"series {uid} lies in {folder} and {found[uid].path.parent}")
        reason = _no_ct(first) and _no_ct(last)
        if reason:
            reasons[reason] += 1
        else:
            found[uid] = first
    if not found:
        raise ReaderError(f"{place} holds no CT series; {told(reasons) or 'it is empty'}")
    return [found[uid] for uid in sorted(found)], left_out(place, "folders", reasons)


def _no_ct(file: DicomFile) -> str | None:
    if file.header.modality != "CT":
        return f"of modality {file.header.modality}"
    return eligibility.left_out_because(file.header)

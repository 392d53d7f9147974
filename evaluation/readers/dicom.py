"""A folder of DICOM files, at any depth, and perhaps a file of labels.

Which images stand for a study is chosen as the node chooses (``encoders.choice``): radiographs
image by image, CT and MR series by their middle slice. What is left out is counted and told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from encoders import eligibility
from encoders.choice import choose_images
from evaluation.collection import Collection
from evaluation.readers.cells import age_bands, numbers, texts
from evaluation.readers.dicom_files import (
    DicomFile,
    NoImageError,
    files_below,
    left_out,
    read_file,
    told,
)
from evaluation.readers.dicom_labels import read_labels
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from evaluation.readers.patients import remarks_on
from evaluation.readers.remarks import remarked

NAME = "DICOM"
PREAMBLE = 128
"""Bytes before ``DICM`` (PS3.10 section 7.1)."""
TRIED = 100
"""So many files are looked at to recognise a folder of DICOM."""


def read(
    place: Path,
    *,
    images: Images = Images.ALL,
    labels: Path | None = None,
    every: bool = False,
) -> Collection:
    """The images of the folder; an id is a SOP Instance UID, with ``#`` and a frame's number.

    A patient is Patient ID with its issuer, or the study where no Patient ID is told.

    Args:
        place: the folder.
        images: with NONE, the files are read all the same, and forgotten.
        labels: a file as in `evaluation.readers.dicom_labels`; no labels where None.
        every: each slice of a series, rather than the middle one.

    Raises:
        ReaderError: there is no such folder, or no image in it, or the labels are faulty.
    """
    if not place.is_dir():
        raise ReaderError(f"there is no folder {place}")
    chosen, remarks = _chosen(place, every=every)
    found = _collection(f"{NAME} in {place.name}", chosen)
    remarks += remarks_on(str(place), found.patients)
    if labels is not None:
        uids = [
            (file.study, file.header.series_instance_uid, file.header.sop_instance_uid)
            for _, file in chosen
        ]
        said, more = read_labels(labels, uids)
        found = replace(found, label_names=said.names, states=said.states)
        remarks += more
    if images is not Images.NONE:
        found = replace(found, paths=tuple(file.path for _, file in chosen))
    return remarked(found, *remarks)


def recognises(place: Path) -> bool:
    """Whether one of the folder's first files is in DICOM format."""
    return place.is_dir() and any(_is_dicom(path) for path in islice(files_below(place), TRIED))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(PREAMBLE + 4)[PREAMBLE:] == b"DICM"
    except OSError:
        return False


def _collection(name: str, chosen: Sequence[tuple[str, DicomFile]]) -> Collection:
    """The images without labels and paths."""
    files = [file for _, file in chosen]
    ages = [file.age for file in files]
    return Collection(
        name=name,
        ids=tuple(one for one, _ in chosen),
        patients=tuple(file.patient for file in files),
        label_names=(),
        states=np.empty((len(files), 0), np.int8),
        attributes={
            "view": texts([file.header.view_position or "" for file in files]),
            "sex": texts([file.sex for file in files]),
            "age_band": age_bands(ages),
            "scanner": texts([file.header.scanner or "" for file in files]),
            "modality": texts([file.header.modality for file in files]),
            "body_part": texts([file.header.body_part or "" for file in files]),
        },
        numbers={"age": numbers(ages)},
        studies=tuple(file.study for file in files),
    )


def _chosen(place: Path, *, every: bool) -> tuple[list[tuple[str, DicomFile]], list[str]]:
    """The ids and files of the images, by study and id; and a remark on what is left out."""
    reasons: Counter[str] = Counter()
    files: dict[str, DicomFile] = {}
    for path in files_below(place):
        try:
            file = read_file(path)
        except NoImageError as fault:
            reasons[str(fault)] += 1
            continue
        if files.setdefault(file.header.sop_instance_uid, file) is not file:
            reasons["copy of an instance that was read already"] += 1
    studies = defaultdict(list)
    for file in files.values():
        studies[file.study].append(file)
    keys = _each(files.values(), reasons) if every else _standing(studies.values(), reasons)
    if not keys:
        raise ReaderError(f"{place} holds no DICOM image; {told(reasons) or 'it is empty'}")
    images = ((key, files[key.partition("#")[0]]) for key in keys)
    return sorted(images, key=lambda one: (one[1].study, one[0])), left_out(place, "files", reasons)


def _each(files: Iterable[DicomFile], reasons: Counter[str]) -> list[str]:
    keys = []
    for file in files:
        reason = eligibility.left_out_because(file.header)
        if reason is None:
            keys.append(file.header.sop_instance_uid)
        else:
            reasons[reason] += 1
    return keys


def _standing(studies: Iterable[Sequence[DicomFile]], reasons: Counter[str]) -> list[str]:
    keys = []
    for study in studies:
        choice = choose_images([file.header for file in study])
        reasons.update(one.reason for one in choice.left_out)
        for image in choice.chosen:
            uid = image.header.sop_instance_uid
            keys.append(uid if image.frame is None else f"{uid}#{image.frame + 1}")
    return keys

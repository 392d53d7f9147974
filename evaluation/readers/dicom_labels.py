"""Labels of DICOM images from a file as ``likeness labels import`` takes it (docs/labels.md).

A line says its label of all images of the study, series or instance that it names; where several
lines say the same label of an image, the one that names the least counts.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.readers.archive_labels import LabelMatrix, label_matrix
from evaluation.readers.fault import ReaderError, some
from storage.archive_images import SaidWord
from storage.label_files import read_csv
from storage.label_lines import LabelError


def read_labels(
    path: Path, images: Sequence[tuple[str, str, str]]
) -> tuple[LabelMatrix, tuple[str, ...]]:
    """The labels of images, UNSAID by default, and remarks on the file.

    Lines on the same study, series or instance that contradict each other make the label UNCERTAIN.

    Args:
        path: of the file.
        images: study, series and SOP Instance UID of each.

    Raises:
        ReaderError: the file or a column is missing, a line is faulty, or none names one of the
            images.
    """
    try:
        lines = read_csv(path)
    except LabelError as fault:
        raise ReaderError(str(fault)) from fault
    named = {line.place()[1] for line in lines}
    unknown = sorted(named - {uid for uids in images for uid in uids})
    if len(unknown) == len(named):
        raise ReaderError(f"{path} names none of the images, but {some(unknown) or 'nothing'}")
    number = {study: at for at, (study, _, _) in enumerate(images)}
    number |= {series: number[study] for study, series, _ in images}
    words = []
    for line in lines:
        level, uid = line.place()
        series, instance = (
            uid if level == one else "" for one in ("series_instance_uid", "sop_instance_uid")
        )
        word = SaidWord(number.get(uid, -1), series, instance, line.label.name, line.label.value)
        words.append(word)
    studies = np.array([number[study] for study, _, _ in images])
    _, all_series, instances = zip(*images, strict=True)
    matrix = label_matrix(studies, all_series, instances, [words])
    remarks = matrix.remarks(str(path))
    if unknown:
        left = f"{path}: what it says of {len(unknown)} others than the images is left out"
        remarks = (f"{left}: {some(unknown)}", *remarks)
    return matrix, remarks

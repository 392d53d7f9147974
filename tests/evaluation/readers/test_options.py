"""A reader's options as a user writes them."""

from pathlib import Path
from typing import Any

import pytest

from evaluation.readers import READERS
from evaluation.readers.fault import ReaderError
from evaluation.readers.options import options_of


@pytest.mark.parametrize(
    ("reader", "told", "expected"),
    [
        ("chexpert", [], {}),
        ("mimic-cxr-jpg", ["labeler=negbio"], {"labeler": "negbio"}),
        ("mimic-cxr-jpg", ["patients=hosp/p.csv"], {"patients": Path("hosp/p.csv")}),
        ("nlst", ["participants=a/b.csv"], {"participants": Path("a/b.csv")}),
        ("dicom", ["every=true", "labels=x=y.csv"], {"every": True, "labels": Path("x=y.csv")}),
        ("dicom", ["every=No"], {"every": False}),
        ("radimagenet", ["labels_from=folder"], {"labels_from": "folder"}),
    ],
)
def test_options(reader: str, told: list[str], expected: dict[str, Any]) -> None:
    assert options_of(reader, READERS[reader].read, told) == expected


@pytest.mark.parametrize(
    ("reader", "told", "said"),
    [
        ("chexpert", "labeler=negbio", "'labeler=negbio' is no option of chexpert; it has none"),
        ("nlst", "weight", "'weight' is no option of nlst; it has participants="),
        ("nlst", "place=elsewhere", "no option of nlst"),
        ("dicom", "every=perhaps", "it is true or false"),
        ("radimagenet", "labels_from=nowhere", "it is .*folder"),
    ],
)
def test_options_that_are_none(reader: str, told: str, said: str) -> None:
    with pytest.raises(ReaderError, match=said):
        options_of(reader, READERS[reader].read, [told])

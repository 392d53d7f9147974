"""COVIDx: lists with blanks between."""

from pathlib import Path

import pytest

from evaluation.readers import covidx
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import touch, write

TRAIN = """\
3 SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg pneumonia cohen
COVID-19(12) COVID-19 (12).png COVID-19 sirm
00313ee0 00313ee0.png normal rsna
"""
TEST = "3 figure 3.JPG COVID-19 fig1\r\nee 47c78742.png normal\r\n"


def make(place: Path, train: str = "train_COVIDx5.txt", test: str = "test_COVIDx4.txt") -> Path:
    write(place / train, TRAIN)
    write(place / test, TEST)
    names = ["SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg", "COVID-19 (12).png"]
    touch(place / "train", *names, "00313ee0.png")
    touch(place / "test", "figure 3.JPG", "47c78742.png")
    return place


@pytest.mark.parametrize("train", ["train_COVIDx5.txt", "train_split.txt"])
def test_lists(tmp_path: Path, train: str) -> None:
    found = covidx.read(make(tmp_path, train))
    assert found.ids[1:4] == ("COVID-19 (12).png", "00313ee0.png", "figure 3.JPG")
    # number 3 of one source is not number 3 of another
    assert (found.patients[0], found.patients[3]) == ("cohen/3", "fig1/3")
    assert found.label_names == ("COVID-19", "normal", "pneumonia")
    rows = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert found.states.tolist() == rows
    assert found.splits == ("train",) * 3 + ("test",) * 2
    assert found.attributes["source"].tolist() == ["cohen", "sirm", "rsna", "fig1", ""]
    assert found.paths[3] == tmp_path / "test" / "figure 3.JPG"


def test_images_elsewhere(tmp_path: Path) -> None:
    make(tmp_path)
    for split in ("train", "test"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / split).rename(tmp_path / "data" / split)
    assert covidx.read(tmp_path).paths[4] == tmp_path / "data/test/47c78742.png"


def test_several_versions(tmp_path: Path) -> None:
    make(make(tmp_path), "train_COVIDx8B.txt", "test_COVIDx8B.txt")
    with pytest.raises(ReaderError, match=r"several lists, train_COVIDx5.txt, train_COVIDx8B.txt;"):
        covidx.read(tmp_path)
    assert len(covidx.read(tmp_path, version="8B")) == 5
    with pytest.raises(ReaderError, match=r"holds no list such as train_COVIDx9A\.txt"):
        covidx.read(tmp_path, version="9A")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a a.png\n", "line 1: 'a a.png' is not patient, file, class and source"),
        ("a a.png normal x y\n", "line 1: .* is not patient"),
        ("a,a.png,normal,rsna\n", "line 1: .* is not patient"),
        ("a a.png normal rsna\nb a.png normal rsna\n", r"line 2: a.png stands in line 1 already"),
        ("\n", "is empty"),
        ("", "is empty"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, reason: str) -> None:
    write(make(tmp_path) / "train_COVIDx5.txt", text)
    with pytest.raises(ReaderError, match=rf"train_COVIDx5\.txt {reason}"):
        covidx.read(tmp_path)


def test_an_image_in_both_lists_is_refused(tmp_path: Path) -> None:
    write(make(tmp_path) / "test_COVIDx4.txt", TRAIN)
    with pytest.raises(ReaderError, match="images stand in two of its lists"):
        covidx.read(tmp_path, images=Images.NONE)


def test_lists_of_other_sets_are_not_taken_for_it(tmp_path: Path) -> None:
    write(tmp_path / "train_split.txt", "0001\n0002\n")
    assert not covidx.recognises(tmp_path)
    assert not covidx.recognises(tmp_path / "absent")

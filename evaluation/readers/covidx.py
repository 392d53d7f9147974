"""COVIDx (Wang, Lin, Wong 2020): lists of chest radiographs that others published.

``train_COVIDx4.txt``, ``test_COVIDx4.txt`` and later numbers, or X-MIR's ``train_split.txt``: in
each line a patient, a file, a class and (in most) a source, with blanks between. The images lie
in ``train`` and ``test``, beside the lists or in ``data``, or all beside the lists.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from evaluation.collection import Collection
from evaluation.readers.cells import texts
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.images import Images, find_in, with_images
from evaluation.readers.labels import states_named
from evaluation.readers.table import read_lines
from evaluation.readers.together import together

NAME = "COVIDx"
SPLITS = ("train", "val", "test")
# a file's name may hold blanks; its ending tells where it ends
_LINE = re.compile(
    r"(?P<patient>\S+)\s+(?P<file>\S.*?\.(?:png|jpe?g|bmp|gif|tiff?))"
    r"\s+(?P<label>\S+)(?:\s+(?P<source>\S+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Line:
    patient: str
    file: str
    label: str
    source: str


def read(place: Path, *, images: Images = Images.ALL, version: str = "") -> Collection:
    """The lists as they were published; each image has one class, the others are NEGATIVE.

    A patient is named by source and number, since each source counts its own.

    Args:
        place: the folder of the lists.
        images: which image files must be there.
        version: of the lists, such as ``5`` or ``8B``, where several lie there.

    Raises:
        ReaderError: there is no list or several, a line is of another layout, an image stands
            twice, or its file is missing.
    """
    lists = {split: _list_in(place, split, version) for split in SPLITS}
    lines = {split: _lines(path) for split, path in lists.items() if path}
    if not lines:
        raise ReaderError(f"{place} holds no list such as train_COVIDx{version or 5}.txt")
    names = tuple(sorted({line.label for some_lines in lines.values() for line in some_lines}))
    found = together([_part(split, some_lines, names) for split, some_lines in lines.items()])
    return with_images(found, images, place, lambda: _files(place, lines))


def recognises(place: Path) -> bool:
    """Whether a list of COVIDx lies there, whose lines are such."""
    lists = [path for split in SPLITS for path in _lists_in(place, split, "")]
    return any(_LINE.fullmatch(line) for path in lists for line in read_lines(path, 1))


def _lists_in(place: Path, split: str, version: str) -> list[Path]:
    own = sorted(place.glob(f"{split}_COVIDx{version or '*'}.txt"))
    return own if version else [*own, *place.glob(f"{split}_split.txt")]


def _list_in(place: Path, split: str, version: str) -> Path | None:
    found = _lists_in(place, split, version)
    if len(found) > 1:
        names = some([path.name for path in found])
        raise ReaderError(f"{place} holds several lists, {names}; say which version to read")
    return found[0] if found else None


def _lines(path: Path) -> list[_Line]:
    lines: list[_Line] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(read_lines(path), start=1):
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ReaderError(
                f"{path} line {number}: {text!r} is not patient, file, class and source with "
                "blanks between"
            )
        line = _Line(**match.groupdict(""))
        if line.file in seen:
            raise ReaderError(
                f"{path} line {number}: {line.file} stands in line {seen[line.file]} already; "
                "remove one"
            )
        seen[line.file] = number
        lines.append(line)
    if not lines:
        raise ReaderError(f"{path} is empty; fetch it again")
    return lines


def _part(split: str, lines: list[_Line], names: tuple[str, ...]) -> Collection:
    return Collection(
        name=NAME,
        ids=tuple(line.file for line in lines),
        patients=tuple(f"{line.source}/{line.patient}" for line in lines),
        label_names=names,
        states=states_named([(line.label,) for line in lines], names),
        attributes={"source": texts([line.source for line in lines])},
        splits=(split,) * len(lines),
    )


def _files(place: Path, lines: dict[str, list[_Line]]) -> list[Path | None]:
    found: list[Path | None] = []
    for split, some_lines in lines.items():
        folders = (place / split, place / "data" / split, place)
        found += find_in(folders, [line.file for line in some_lines])
    return found

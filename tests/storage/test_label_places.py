"""Lines find their studies, series and instances, or are told."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import studies
from storage.answer import Label
from storage.label_lines import LabelError, LabelLine
from storage.label_places import place
from tests.storage.made import NODE, received, row_of

NODULE = Label("nodule")


def _accession(number: str) -> dict[str, object]:
    """Accession Number (0008,0050) in the DICOM JSON model (PS3.18 F.2)."""
    return {"00080050": {"vr": "SH", "Value": [number]}}


@pytest.fixture
def archive(engine: Engine) -> Iterator[Connection]:
    """1.2 and 1.3 share accession number B; 1.4 has A. Each has a series .1 and an instance."""
    with engine.begin() as connection:
        for uid, number in (("1.2", "B"), ("1.3", "B"), ("1.4", "A ")):
            arrived = replace(received(uid, f"{uid}.1.1"), attributes=_accession(number))
            studies.record(connection, arrived, received_by=NODE)
        yield connection


@pytest.mark.parametrize(
    ("line", "study", "series", "instance"),
    [
        (LabelLine("1.4", NODULE), "1.4", "", ""),
        (LabelLine("", NODULE, "1.4.1"), "1.4", "1.4.1", ""),
        (LabelLine("1.4", NODULE, "1.4.1"), "1.4", "1.4.1", ""),
        (LabelLine("", NODULE, "", "1.4.1.1"), "1.4", "1.4.1", "1.4.1.1"),
        (LabelLine("1.4", NODULE, "1.4.1", "1.4.1.1"), "1.4", "1.4.1", "1.4.1.1"),
        (LabelLine("", NODULE, accession_number="A"), "1.4", "", ""),
        (LabelLine("1.2", NODULE, accession_number="A"), "1.2", "", ""),
    ],
)
def test_the_finest_place_decides(
    archive: Connection, line: LabelLine, study: str, series: str, instance: str
) -> None:
    placed = place(archive, [line])
    assert placed.words == {(row_of(archive, study), series, instance, "nodule"): NODULE}
    assert placed.told() == []


def test_what_is_not_in_the_archive_is_told_once(archive: Connection) -> None:
    lines = [
        LabelLine("1.9", NODULE),
        LabelLine("1.8", NODULE),
        LabelLine("1.9", Label("mass")),
        LabelLine("", NODULE, "1.9.1"),
        LabelLine("1.2", NODULE, "", "1.9.1.1"),
        LabelLine("", NODULE, accession_number="Z"),
        LabelLine("1.2", NODULE),
    ]
    placed = place(archive, lines)
    assert len(placed.words) == 1
    assert placed.unknown == {
        "study_instance_uid": ["1.9", "1.8"],
        "series_instance_uid": ["1.9.1"],
        "sop_instance_uid": ["1.9.1.1"],
        "accession_number": ["Z"],
    }
    assert "2 studies are not in this archive, such as 1.9" in placed.told()


def test_an_accession_number_of_two_studies_is_told(archive: Connection) -> None:
    placed = place(archive, [LabelLine("", NODULE, accession_number="B")])
    assert (placed.words, placed.unknown) == ({}, {})
    assert placed.told() == ["1 accession numbers are of several studies, such as B"]


@pytest.mark.parametrize(
    "line",
    [
        LabelLine("1.3", NODULE, "1.2.1", line=7),
        LabelLine("1.3", NODULE, "", "1.2.1.1", line=7),
        LabelLine("", NODULE, "1.3.1", "1.2.1.1", line=7),
        LabelLine("1.9", NODULE, "1.2.1", line=7),
    ],
)
def test_a_series_or_instance_of_another_study_is_refused(
    archive: Connection, line: LabelLine
) -> None:
    with pytest.raises(LabelError, match=r"^line 7: s.*_uid 1\.2\.1.* is of another study"):
        place(archive, [line])


def test_lines_that_differ_on_one_finding_are_told_and_the_last_stands(
    archive: Connection,
) -> None:
    lines = [
        LabelLine("1.4", NODULE, line=2),
        LabelLine("", Label("nodule", 0), accession_number="A", line=5),
        LabelLine("1.4", Label("nodule", 0), line=6),
    ]
    placed = place(archive, lines)
    assert list(placed.words.values()) == [Label("nodule", 0)]
    assert placed.contradictions == ["lines 2 and 5 say 1 and 0 of nodule in accession_number A"]


def test_two_codes_of_one_label_are_told(archive: Connection) -> None:
    lines = [
        LabelLine("1.4", Label("nodule", 1, "1", "X"), line=2),
        LabelLine("1.4", Label("nodule", 1, "2", "X"), line=3),
    ]
    assert place(archive, lines).contradictions == ["lines 2 and 3 give nodule two codes"]

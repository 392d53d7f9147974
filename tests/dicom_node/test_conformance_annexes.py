"""The annexes of the conformance statement, held against the code and the standard's own tables."""

import ast
import inspect
import itertools
import json
import pkgutil
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.tag import Tag

import encoders
from dicom_node import received
from dicom_node.conformance import codes as coded
from dicom_node.conformance import modules
from dicom_node.conformance.made_up import made_documents
from dicom_node.conformance.received import USED
from dicom_node.conformance.security import CHARACTER_SETS
from dicom_node.conformance.statement import statement
from dicom_node.received import STUDY_ATTRIBUTES, study_facts
from dicom_node.report import own
from dicom_node.report.codes import Private
from dicom_node.settings import ReportSettings, Settings
from tests.dicom_node.doors import everything
from tests.dicom_node.markdown_tables import Table, tables

REPORT = Path(own.__file__).parent
KINDS = ("comprehensive 3d", "comprehensive", "enhanced")
COMBINATIONS = list(itertools.product(KINDS, ("identified", "pseudonymous"), (True, False)))


def printed(**report: object) -> dict[str, Table]:
    rules = ReportSettings.model_validate(report)
    return tables(statement(Settings(report=rules), contexts=everything()))


def by_tag(table: Table) -> dict[str, dict[str, str]]:
    """Rows of attributes that stand at the root of the data set, by tag."""
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    return {row["Tag"]: row for row in rows if not row["Attribute Name"].startswith(">")}


@pytest.mark.parametrize(("kind", "privacy", "picture"), COMBINATIONS)
def test_each_kind_of_report_is_told_whole(kind: str, privacy: str, *, picture: bool) -> None:
    found = printed(sop_class=kind, privacy=privacy, picture=picture)
    assert ("Attributes of a picture" in found) == picture
    for caption in set(found) & {"Attributes of a report", "Attributes of a picture"}:
        assert "Other" not in found[caption].column("Module")
        assert found[caption].column("Tag")
    uses = dict(
        zip(*map(found["Codes of 99LIKENESS"].column, ("Code Value", "Used As")), strict=True)
    )
    by_uid, by_number = uses["121"], uses["141"]
    unused = "not with these settings"
    assert (by_uid == unused, by_number == unused) == (
        (False, True) if privacy == "identified" else (True, False)
    )


def _attributes_of(document: Dataset) -> set[str]:
    return {str(element.tag).replace(" ", "") for element in document}


def test_printed_attributes_are_those_of_the_documents_that_are_made() -> None:
    found = printed()
    made = made_documents(Settings())
    pictures = [one.picture for one in made if one.picture is not None]
    reports = [one.report for one in made]
    assert set(by_tag(found["Attributes of a report"])) == set().union(
        *map(_attributes_of, reports)
    )
    assert set(by_tag(found["Attributes of a picture"])) == set().union(
        *map(_attributes_of, pictures)
    )


@pytest.mark.parametrize(
    ("tag", "value", "presence", "source"),
    [
        ("(0008,0060)", "`SR`", "ALWAYS", "FIXED"),
        ("(0008,0005)", "`ISO_IR 192`", "ALWAYS", "FIXED"),
        ("(0040,A493)", "`UNVERIFIED`", "ALWAYS", "FIXED"),
        ("(0040,A496)", "`PRELIMINARY`", "ALWAYS", "FIXED"),
        ("(0008,1010)", "`LIKENESS`", "ALWAYS", "CONFIG"),
        ("(0008,0016)", "`1.2.840.10008.5.1.4.1.1.88.34`", "ALWAYS", "CONFIG"),
        ("(0008,0018)", "", "ALWAYS", "AUTO"),
        ("(0018,1002)", "", "ALWAYS", "AUTO"),
        ("(0020,000D)", "", "ALWAYS", "COPY"),
        ("(0010,0010)", "", "VNAP", "COPY"),
        ("(0008,0050)", "", "VNAP", "COPY"),
        ("(0010,0021)", "", "ANAP", "COPY"),
        ("(0008,0051)", "", "ANAP", ""),
        ("(0010,0024)", "", "ANAP", ""),
        ("(0040,A360)", "", "ANAP", ""),
        ("(0040,A372)", "", "EMPTY", ""),
    ],
)
def test_attributes_of_a_report(tag: str, value: str, presence: str, source: str) -> None:
    row = by_tag(printed()["Attributes of a report"])[tag]
    assert (row["Value"], row["Presence"], row["Source"]) == (value, presence, source)


@pytest.mark.parametrize(
    ("tag", "value", "presence", "source"),
    [
        ("(0008,0060)", "`OT`", "ALWAYS", "FIXED"),
        ("(0020,0020)", "", "EMPTY", ""),
        ("(0028,0103)", "`0`", "ALWAYS", "FIXED"),
        ("(0028,0301)", "", "ANAP", "AUTO"),
        ("(0028,2110)", "`01`", "ANAP", "FIXED"),
        ("(0020,0062)", "", "ANAP", "COPY"),
        ("(0020,0060)", "", "ANAP", ""),
        ("(0018,0015)", "", "ANAP", "COPY"),
        ("(7FE0,0010)", "", "ALWAYS", ""),
    ],
)
def test_attributes_of_a_picture(tag: str, value: str, presence: str, source: str) -> None:
    row = by_tag(printed()["Attributes of a picture"])[tag]
    assert (row["Value"], row["Presence"], row["Source"]) == (value, presence, source)


def test_what_lies_in_the_querys_sequences_is_copied() -> None:
    rows = printed()["Attributes of a report"].rows
    found = {row[4:] for row in rows if row[2] in {"(0040,0032)", "(0040,0033)"}}
    assert found == {("", "ALWAYS", "COPY")}


def test_statement_says_what_of_the_query_is_not_taken_over() -> None:
    told = " ".join(statement(Settings(), contexts=everything()).split())
    assert "description, patient's age or referring physician's name that breaks its VR" in told
    assert "came under another VR than its own is written under its own" in told


@pytest.mark.parametrize("iod", [modules.REPORT, modules.PICTURE], ids=["report", "picture"])
def test_modules_are_the_standards(iod: dict[str, tuple[str, ...]]) -> None:
    """The standard's tables as highdicom brings them along, made from PS3.3."""
    data = pkgutil.get_data("highdicom", "_standard/module_attribute_map.json")
    standard = json.loads(data or b"")
    for title, keywords in iod.items():
        name = re.sub(r" \(.*", "", title).lower().replace(" ", "-")
        roots = {entry["keyword"] for entry in standard[name] if not entry["path"]}
        assert set(keywords) <= roots, title


def test_made_up_queries_have_every_attribute_that_is_kept() -> None:
    report = made_documents(Settings())[0].report
    assert all(report.get(keyword) for keyword in STUDY_ATTRIBUTES)


def _words(source: str) -> Iterator[str]:
    """Texts, and names of attributes of objects, in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _read_by_code() -> set[str]:
    """Keywords of data sets, the file's meta information left out, that the code names."""
    folder = Path(encoders.__file__).parent
    sources = [path.read_text() for path in folder.glob("*.py")]
    sources += map(inspect.getsource, (received, own))
    words = {word for source in sources for word in _words(source) if word.isidentifier()}
    return {word for word in words if Tag(tag_for_keyword(word) or 0).group > 2}


BY_PYDICOM = {
    f"{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for part in ("Descriptor", "Data")
}
"""Read where it applies the palette."""
NAMES_OF_CLASSES = {"DataElement"}
"""Also the keyword of an attribute, by chance."""


def test_printed_attributes_used_are_those_that_the_code_reads() -> None:
    printed_ones = {keyword for _, keywords in USED for keyword in keywords}
    assert printed_ones == (_read_by_code() - NAMES_OF_CLASSES) | BY_PYDICOM
    tags = {str(Tag(keyword)).replace(" ", "") for keyword in printed_ones}
    assert set(printed()["Attributes used"].column("Tag")) == {tag.upper() for tag in tags}


def test_every_private_code_is_printed() -> None:
    found = printed()["Codes of 99LIKENESS"]
    expected = [(entry.value.value, entry.value.meaning) for entry in Private]
    assert [row[:2] for row in found.rows] == expected


def _numbers(pattern: str) -> set[str]:
    return {
        number
        for path in REPORT.glob("*.py")
        for number in re.findall(pattern, path.read_text(), re.IGNORECASE)
    }


def test_context_groups_are_those_that_reports_use() -> None:
    assert {number for number, _, _ in coded.CONTEXT_GROUPS} == _numbers(r"\bcid ?(\d+)\b")
    assert all(hasattr(codes, f"cid{number}") for number, _, _ in coded.CONTEXT_GROUPS)


def test_templates_named_in_the_code_are_printed() -> None:
    assert _numbers(r"\bTID (\d+)\b") <= {number for number, _, _ in coded.TEMPLATES}


def _tree(item: Dataset, depth: int = 1) -> Iterator[str]:
    for child in item.get("ContentSequence", ()):
        name = child.ConceptNameCodeSequence[0]
        yield f"{'>' * depth}{child.ValueType} {child.RelationshipType} {name.CodeValue}"
        yield from _tree(child, depth + 1)


def test_content_tree_has_every_item_of_the_reports_that_are_made() -> None:
    reports = [one.report for one in made_documents(Settings())]
    made = {line for report in reports for line in _tree(report) if not line.endswith((" 1", " 2"))}
    rows = printed()["Content tree of a report"].rows
    shown = {
        f"{row[0]} {row[1]} {number[1]}"
        for row in rows[1:]
        if (number := re.match(r"\(([^,]+),", row[2]))
    }
    assert shown == made


@pytest.mark.parametrize(
    ("kind", "concept", "times", "value"),
    [
        (">CODE", "(121005, DCM, `Observer Type`)", "1", "(121007, DCM, `Device`)"),
        (">TEXT", "(121111, DCM, `Summary`)", "1", ""),
        (">>>NUM", "(130, 99LIKENESS, `Rank`)", "1", "(1, UCUM, `no units`)"),
        (">>>CODE", "the label's own code", "0-n", ""),
        (">>>>CODE", "(123014, DCM, `Target Region`)", "0-1", ""),
    ],
)
def test_items_of_the_content_tree(kind: str, concept: str, times: str, value: str) -> None:
    rows = printed()["Content tree of a report"].rows
    found = {(row[3], row[4]) for row in rows if (row[0], row[2]) == (kind, concept)}
    assert found == {(times, value)}


NAMES: dict[str, tuple[bytes, str]] = {
    "6": (b"Wang", "Wang"),
    "100": (b"\xe9", "é"),
    "101": (b"\xb3", "ł"),
    "109": (b"\xb1", "ħ"),
    "110": (b"\xe0", "ā"),
    "144": (b"\xcf", "Я"),
    "127": (b"\xc8", "ب"),
    "126": (b"\xe2", "β"),
    "138": (b"\xe0", "א"),
    "148": (b"\xf0", "ğ"),
    "13": (b"\xd4", "ﾔ"),
    "166": (b"\xa1", "ก"),
    "87": (b"\x1b$B;3ED\x1b(B", "山田"),
    "159": (b"\x1b$(D0!\x1b(B", "丂"),
    "149": (b"\x1b$)C\xfb\xf3", "洪"),
    "58": (b"\x1b$)A\xd5\xc5", "张"),
    "192": (b"\xc3\xa9", "é"),
    "GB18030": (b"\xcd\xf5", "王"),
    "GBK": (b"\xcd\xf5", "王"),
}
"""Text in each character set, by the end of its defined term (ISO 8859; PS3.5 annexes H to K)."""
TERMS = [term for _, terms in CHARACTER_SETS for term in terms]


def _patient_name(term: str, name: bytes) -> str:
    """The name as it is kept, from a data set in explicit VR little endian."""
    values = ((0x0008, 0x0005, b"CS", term.encode(), b" "), (0x0010, 0x0010, b"PN", name, b" "))
    data = b"".join(
        group.to_bytes(2, "little")
        + element.to_bytes(2, "little")
        + vr
        + (len(value) + len(value) % 2).to_bytes(2, "little")
        + value
        + pad * (len(value) % 2)
        for group, element, vr, value, pad in values
    )
    kept = study_facts(dcmread(BytesIO(data), force=True))["attributes"]["00100010"]
    found: str = kept["Value"][0]["Alphabetic"]
    return found


@pytest.mark.parametrize("term", TERMS)
def test_character_sets_that_are_printed_are_read(term: str) -> None:
    encoded, text = NAMES[term.rsplit(" ", 1)[-1]]
    first = "\\" if term.endswith((" 87", " 159", " 149", " 58")) else ""
    assert _patient_name(first + term, encoded) == text


def test_character_sets_are_those_of_the_standard() -> None:
    found = printed()["Character sets read"].column("Defined Terms")
    assert re.findall(r"`([^`]+)`", " ".join(found)) == TERMS
    assert len(TERMS) == len(set(TERMS)) == 31


def test_unknown_character_set_is_read_as_the_statement_says() -> None:
    assert _patient_name("ISO_IR 999", b"M\xfcller") == "Müller"

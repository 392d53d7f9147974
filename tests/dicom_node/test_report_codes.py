"""Codes of modality, region, view, side and findings, against the standard's own lists."""

from typing import Any

import pytest
from pydicom.sr._concepts_dict import concepts

from dicom_node.report.codes import (
    body_part_code,
    clean,
    fit,
    laterality_code,
    modality_code,
    procedure_code,
    view_code,
)
from dicom_node.report.findings import KNOWN, concept_of, presence, scheme_items
from storage.answer import Label


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Cardiomegaly", 64, "Cardiomegaly"),
        ("x" * 64, 64, "x" * 64),
        ("x" * 65, 64, "x" * 61 + "..."),
        ("ab\\cd", 64, "ab/cd"),
        ("two\r\nlines\x1b", 64, "two lines"),
        ("abe\u0301fghi", 6, "ab..."),  # the accent would be parted from its letter
        ("abcd efgh", 8, "abcd..."),
    ],
)
def test_text_is_made_to_fit_its_vr(text: str, limit: int, expected: str) -> None:
    assert fit(text, limit) == expected
    assert len(expected) <= limit


def test_control_characters_become_spaces_and_line_ends_stay() -> None:
    assert clean("a\x00b\r\nc\x1b\t") == "a b\r\nc"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (body_part_code("CHEST"), "816094009"),
        (body_part_code("CSPINE"), "122494005"),
        (body_part_code("Knee"), "72696002"),
        (body_part_code(""), None),
        (view_code("ap"), "399348003"),
        (view_code(None), None),
        (modality_code("MR"), "MR"),
        (modality_code("OT"), "OT"),
        (modality_code("??"), None),
        (laterality_code("R"), "24028007"),
        (laterality_code(" l "), "7771000"),
        (laterality_code("B"), "51440002"),
        (laterality_code("U"), None),  # unpaired: neither side
        (laterality_code(None), None),
        (procedure_code("CT"), "25045-6"),
        (procedure_code("PT"), "44136-0"),
        (procedure_code("??"), "363679005"),
    ],
)
def test_defined_terms_have_the_codes_of_the_standard(code: Any, value: str | None) -> None:
    assert (code.value if code else None) == value


@pytest.mark.parametrize(
    ("view", "value"),
    [
        ("MLO", "399368009"),
        ("ML", "399260004"),
        ("LM", "399352003"),
        ("LMO", "399099002"),
        ("CC", "399162004"),
        ("FB", "399196006"),
        ("SIO", "399188001"),
        ("ISO", "441555000"),
        ("XCCL", "399192008"),
        ("XCCM", "399101009"),
    ],
)
def test_views_of_the_breast_have_the_codes_of_cid_4014(view: str, value: str) -> None:
    code = view_code(view)
    assert code is not None
    assert code.value == value


def _names(scheme: str, value: str) -> set[str]:
    """The names that the standard has for a code, fully specified ones of SNOMED CT among them."""
    listed: dict[str, Any] = concepts[scheme]
    return {said[value][0] for said in listed.values() if value in said}


@pytest.mark.parametrize("name", KNOWN)
def test_known_finding_has_that_name_in_the_standard(name: str) -> None:
    code = concept_of(Label(name))
    assert code is not None
    names = {n.casefold() for n in _names(code.scheme_designator, code.value)}
    assert name in names


# Fully specified names that say the same in other words
SAME = {
    "aortic dissection": "dissection of aorta",
    "metastasis": "secondary malignant neoplastic disease",
    "pneumomediastinum": "mediastinal emphysema",
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_finding_is_nothing_else_in_snomed_ct(name: str) -> None:
    """Where the standard gives the fully specified name too, it names the same thing."""
    code = concept_of(Label(name))
    assert code is not None
    names = _names(code.scheme_designator, code.value)
    specified = {n.rpartition(" (")[0].casefold() for n in names if n.endswith(")")}
    assert {n.removesuffix(", device") for n in specified} <= {name, SAME.get(name)}


@pytest.mark.parametrize(
    ("label", "value", "scheme"),
    [
        (Label("Pneumothorax"), "36118008", "SCT"),
        (Label("pleural_effusion"), "60046008", "SCT"),
        (Label("Pulmonary Oedema"), "19242006", "SCT"),
        (Label("haematoma"), "35566002", "SCT"),
        (Label("Pneumothorax", 1, "1", "99SITE"), "1", "99SITE"),  # its own code goes first
        (Label("Pneumothorax", 1, "36118008"), "36118008", "SCT"),  # no scheme: by its name
        (Label("nodule", 1, "RID3875", "RadLex"), "RID3875", "RADLEX"),
        (Label("heart", 1, "8186001", "SNOMED CT"), "8186001", "SCT"),
        (Label("heart", 1, "LP1-1", "loinc"), "LP1-1", "LN"),
    ],
)
def test_label_has_the_code_that_it_brings_or_is_known_by(
    label: Label, value: str, scheme: str
) -> None:
    code = concept_of(label)
    assert code is not None
    assert (code.value, code.scheme_designator) == (value, scheme)


@pytest.mark.parametrize(
    "label",
    [
        Label("Cardiomegaly"),  # the standard's code for it is another finding's in SNOMED CT
        Label("No finding"),
        Label("of the site", 1, "123"),
        Label("of the site", 1, "123", "A SCHEME OF TOO LONG A NAME"),
        Label("millimetre", 1, "mm", "UCUM"),  # a unit
        Label("Rank", 1, "130", "99LIKENESS"),  # ours already
        Label("", 1, "123", "SCT"),
    ],
)
def test_label_without_a_usable_code_is_text(label: Label) -> None:
    assert concept_of(label) is None


@pytest.mark.parametrize(
    ("value", "code"), [(1, "52101004"), (0, "272519000"), (-1, "373068000"), (7, "373068000")]
)
def test_presence_is_said_in_cid_240(value: int, code: str) -> None:
    assert presence(value).value == code


def test_scheme_that_the_standard_does_not_name_is_identified() -> None:
    schemes = ("SCT", "99SITE", "RadLex", "MINE", "99SITE")
    items = scheme_items(Label("x", 1, "1", scheme) for scheme in schemes)
    designators = [item.CodingSchemeDesignator for item in items]
    assert designators == ["99LIKENESS", "99SITE", "MINE"]

"""The rules' file: what it holds, how phrases are sought, and how its faults are told."""

from pathlib import Path

import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from evaluation.report_rules.phrases import pattern, plain
from evaluation.report_rules.rules import ENGLISH, RulesError, load

CHESTX_RAY14 = """Atelectasis Cardiomegaly Effusion Infiltration Mass Nodule Pneumonia Pneumothorax
    Consolidation Edema Emphysema Fibrosis Pleural_Thickening Hernia"""
CHEXPERT = """Enlarged_Cardiomediastinum Cardiomegaly Lung_Lesion Lung_Opacity Edema Consolidation
    Pneumonia Atelectasis Pneumothorax Pleural_Effusion Pleural_Other Fracture Support_Devices"""


def test_every_finding_of_the_two_lists_has_its_rule() -> None:
    known = {finding.label.name.replace(" ", "_") for finding in load().findings}
    listed = {"Pleural_Effusion" if name == "Effusion" else name for name in CHESTX_RAY14.split()}
    assert known == listed | set(CHEXPERT.split())


def test_the_version_is_part_of_the_source() -> None:
    rules = load()
    assert rules.source == f"report rules {rules.version}"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Pleural Effusion", codes.SCT.PleuralEffusion),
        ("Pneumothorax", codes.SCT.Pneumothorax),
        ("Edema", codes.SCT.PulmonaryEdema),
    ],
)
def test_codes_are_the_standards(name: str, code: Code) -> None:
    (label,) = [finding.label for finding in load().findings if finding.label.name == name]
    assert (label.code, label.scheme) == (code.value, code.scheme_designator)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No  Pneumothorax.", "no pneumothorax"),
        (
            "R/o PNA, s/p chest tube w/o effusion",
            "rule out pna , status post chest tube without effusion",
        ),
        ("air-space opacity/consolidation", "air space opacity or consolidation"),
        ("Oedema; haemothorax (small)?", "edema ; hemothorax ( small ) ?"),
        ("isn\u2019t seen, can't exclude", "is not seen , cannot exclude"),
    ],
)
def test_text_is_made_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


WORDS = {"degree": ["big", "very"], "be": ["is", "was"]}


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("mass", "a mass here", "mass"),
        ("mass", "massive", None),
        ("atelecta*", "old atelectases", "atelectases"),
        ("disc/disk bulge", "a disk bulge", "disk bulge"),
        ("heart ... enlarged", "heart is not at all enlarged", "heart is not at all enlarged"),
        ("heart ... enlarged", "heart enlarged", "heart enlarged"),
        ("heart ... enlarged", "heart is seen , enlarged", None),
        ("heart ... enlarged", "heart a b c d e f g enlarged", None),
        ("no <degree> change", "no very big change", "no very big change"),
        ("no <degree> change", "no change", "no change"),
        ("no <degree> change", "no small change", None),
        ("<be> seen", "it was seen", "was seen"),
        ("<be> seen", "it seen", "seen"),
        (": no $", "mass : no", ": no"),
        (": no $", "mass : no mass", None),
    ],
)
def test_a_phrase_finds(phrase: str, text: str, found: str | None) -> None:
    match = pattern([phrase], WORDS).search(text)
    assert (None if match is None else match[0]) == found


def test_no_phrases_find_nothing() -> None:
    assert pattern([], WORDS).search("anything") is None


@pytest.mark.parametrize(
    ("changed", "into", "expected"),
    [
        ("version = 1", "", "version is missing"),
        ("version = 1", "version = [", "is no TOML"),
        ("<degree>", "<degrees>", "degrees is missing"),
        ("[denied]", "[denies]", "denied is missing"),
        ('name = "Hernia"', 'name = "Hernia"\nabsence = []', "finding Hernia: absence is no key"),
        ("before = [", "befor = [", "befor is no key"),
        ('present = ["fracture"', 'present = [3, "fracture"', "wrong kind"),
    ],
)
def test_a_faulty_file_is_told(tmp_path: Path, changed: str, into: str, expected: str) -> None:
    path = tmp_path / "rules.toml"
    content = ENGLISH.read_text(encoding="utf-8")
    assert changed in content
    path.write_text(content.replace(changed, into), encoding="utf-8")
    with pytest.raises(RulesError, match=expected) as fault:
        load(path)
    assert str(fault.value).startswith(str(path))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"rules\.toml cannot be read: No such file"):
        load(tmp_path / "rules.toml")

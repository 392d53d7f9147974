"""Patients by ID and issuer."""

import pytest

from evaluation.readers.patients import patient_of, remarks_on


@pytest.mark.parametrize(
    ("patient_id", "issuer", "expected"),
    [
        ("P1", "", "P1"),
        ("P1", "Ward", "Ward\\P1"),
        # no other ID and issuer make the same name
        ("Ward/P1", "", "Ward/P1"),
        ("P1", "Ward/2", "Ward/2\\P1"),
        ("", "Ward", "\\study 1.5"),
        ("study 1.5", "", "study 1.5"),
    ],
)
def test_names(patient_id: str, issuer: str, expected: str) -> None:
    assert patient_of(patient_id, issuer, "1.5") == expected


def test_patients_without_an_id_are_counted() -> None:
    nameless = patient_of("", "", "1.5")
    told = "Set: 2 images have no Patient ID; their study stands for it"
    assert remarks_on("Set", [nameless, "P1", nameless]) == (told,)
    assert remarks_on("Set", ["P1", "study 1.5"]) == ()

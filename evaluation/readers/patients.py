"""Whom DICOM images show: patients by ID and issuer, or the study of whom no ID is told."""

from collections.abc import Sequence

_STUDY = "\\study "


def patient_of(patient_id: str, issuer: str, study: str) -> str:
    r"""The patient's own name among those of all issuers: ``ISSUER\ID``, or ``ID``.

    The backslash is what neither may hold (PS3.5 6.2, LO).

    Args:
        patient_id: Patient ID (0010,0020), or empty.
        issuer: Issuer of Patient ID (0010,0021), or empty.
        study: Study Instance UID, which stands for a patient without an ID.
    """
    if not patient_id:
        return f"{_STUDY}{study}"
    return f"{issuer}\\{patient_id}" if issuer else patient_id


def remarks_on(name: str, patients: Sequence[str]) -> tuple[str, ...]:
    """The remark that patients of `patient_of` are studies; none where all have an ID."""
    nameless = sum(patient.startswith(_STUDY) for patient in patients)
    if not nameless:
        return ()
    return (f"{name}: {nameless} images have no Patient ID; their study stands for it",)

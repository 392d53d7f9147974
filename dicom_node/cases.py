"""Case numbers of pseudonymous reports, and the studies that they stand for."""

import os
import pwd
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.reporting import UnknownStudyError
from storage import case_numbers, studies
from storage.answer import StudyRecord


def studies_of_case(connection: Connection, number: str) -> list[StudyRecord]:
    """The studies of this archive that have a case number: one as a rule, or none."""
    return [_record(connection, uid) for uid in case_numbers.find(connection, number)]


def case_of_study(connection: Connection, study_uid: str) -> tuple[str, StudyRecord]:
    """The case number of a study, and the study.

    Raises:
        UnknownStudyError: it is not in this archive, so that no report can have named it.
    """
    study = _record(connection, study_uid)
    key = case_numbers.key_of_archive(connection)
    return case_numbers.case_number(key, study_uid), study


def _record(connection: Connection, study_uid: str) -> StudyRecord:
    state = studies.state_of(connection, study_uid)
    if state is None:
        raise UnknownStudyError(study_uid)
    return studies.load(connection, state.id)


def case_json(number: str, found: list[StudyRecord]) -> dict[str, Any]:
    """A case number with its studies, for programs."""
    return {"case_number": number, "studies": [_facts(study) for study in found]}


def case_text(found: list[StudyRecord]) -> str:
    """The studies of a case number, for people: a line for each fact that is known."""
    return "\n".join(
        f"{key.replace('_', ' ')}: {value}"
        for study in found
        for key, value in _facts(study).items()
        if value
    )


def _facts(study: StudyRecord) -> dict[str, str | None]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient_id,
        "issuer_of_patient_id": study.issuer_of_patient_id,
        "study_date": study.study_date,
        "description": study.description,
    }


def who_asks() -> str:
    """The operating system's user of this process, whatever its environment claims."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user need not be in its passwd file
        return f"uid {number}"

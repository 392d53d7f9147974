"""What intake reads of an instance; without SQLAlchemy, for the process that only reads headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReceivedInstance:
    """A SOP instance as intake read it from the spool; ``header`` is an ImageHeader as JSON.

    ``left_out`` says why an instance shows nothing to embed, None where it may; ``header`` is
    None where there is none. What made it, ``device_uid`` and ``device_serial_number``, is not
    recorded.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    series_description: str | None
    patient_id: str
    issuer_of_patient_id: str
    sex: str | None
    age: int | None
    study_date: str | None
    description: str | None
    attributes: Mapping[str, Any]
    header: Mapping[str, Any] | None
    left_out: str | None
    spool_name: str
    sha256: str
    size_bytes: int
    calling_ae: str
    received_at: datetime
    device_uid: str | None = None
    device_serial_number: str | None = None

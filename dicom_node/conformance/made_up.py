"""Answers about nobody, whose documents show what this node writes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from types import MappingProxyType
from typing import Any, NamedTuple

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    EnhancedSRStorage,
)

from dicom_node.report.device import Device
from dicom_node.report.documents import Documents, make_documents
from dicom_node.report.filing import DocumentReference
from dicom_node.settings import Settings
from dicom_node.version import SOFTWARE_VERSION
from storage.answer import Answer, Hit, ImageReference, Label, SpaceSummary, StudyRecord

LABEL_SCHEME = "99EXAMPLE"
"""The coding scheme of the made-up labels, by which they are known again in the documents."""


class _Kind(NamedTuple):
    sop_class: UID
    modality: str
    first_frame: int | None
    body_part: str
    view: str
    laterality: str


_KINDS = (
    _Kind(EnhancedCTImageStorage, "CT", 7, "CHEST", "AP", "R"),
    _Kind(DigitalXRayImageStorageForPresentation, "DX", None, "HEAD", "PA", "L"),
)
_BARE = 2
"""The number of the study, in an answer, that says no more of itself than it must."""
_NO_SIDE = (0, 0)
"""The query, of the first answer, whose image names an unpaired body part and so no side."""
_LABELS = (
    Label("A coded label", 1, "1", LABEL_SCHEME),
    Label("A label without a code", 1),
    Label("Another coded label", 0, "2", LABEL_SCHEME),
)


def _entity(universal_id: str) -> list[Dataset]:
    """A sequence that names an issuer (PS3.3 tables 10-17 and 10-18)."""
    item = Dataset()
    item.UniversalEntityID, item.UniversalEntityIDType = universal_id, "DNS"
    return [item]


_QUERIES: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        "SpecificCharacterSet": ("ISO_IR 100", "ISO_IR 192"),
        "StudyDate": ("20010203", "20020304"),
        "StudyTime": ("040506", "050607"),
        "AccessionNumber": ("A1", "A2"),
        "ReferringPhysicianName": ("Referring^One", "Referring^Two"),
        "StudyDescription": ("Thorax", "Chest"),
        "PatientName": ("Nobody^One", "Nobody^Two"),
        "PatientID": ("P1", "P2"),
        "IssuerOfPatientID": ("I1", "I2"),
        "PatientBirthDate": ("19400102", "19500203"),
        "PatientSex": ("F", "M"),
        "PatientAge": ("061Y", "052Y"),
        "StudyID": ("S1", "S2"),
        "IssuerOfPatientIDQualifiersSequence": (_entity("E1"), _entity("E2")),
        "IssuerOfAccessionNumberSequence": (_entity("E3"), _entity("E4")),
    }
)
"""Two queries' patient and study attributes; they have nothing in common."""


def made_documents(settings: Settings) -> tuple[Documents, ...]:
    """What goes back for three answers that differ in whatever can differ.

    Two have hits and priors and take the place of earlier reports; the third has none of all
    that, and its query says no more of itself than its UID.
    """
    return (
        _made(settings, 0, _answer(0), _predecessor(0)),
        _made(settings, 1, _answer(1), _predecessor(1)),
        _made(settings, 0, _nothing_found()),
    )


def _made(
    settings: Settings, which: int, answer: Answer, predecessor: DocumentReference | None = None
) -> Documents:
    shown = [answer.image, *(hit.image for hit in (*answer.hits, *answer.priors))]
    return make_documents(
        answer,
        device=Device(f"2.25.1{which}", settings.dicom.ae_title, SOFTWARE_VERSION),
        rules=settings.report,
        pictures=lambda: {(i.sop_instance_uid, i.frame_number): _picture() for i in shown},
        case_number=_case_number if settings.report.privacy == "pseudonymous" else None,
        predecessor=predecessor,
        created=datetime(2010 + which, 1 + which, 3, 4, 5, 6 + which),
    )


def _case_number(study_instance_uid: str) -> str:
    """One of the shape that ``storage.case_numbers`` makes, without a key."""
    return f"0000-0000-{int(study_instance_uid.rsplit('.', 1)[1]):04d}"


def _answer(which: int) -> Answer:
    query = _study(which, 0, _attributes(which))
    return Answer(
        query=query,
        image=_image(which, 0),
        space=_space(which),
        searched=1000 + which,
        asked=10 + which,
        level=20.0 + which,
        hits=tuple(_hit(which, rank) for rank in (1, 2)),
        priors=tuple(_hit(which, rank) for rank in (1, 2)),
        filters={"modality": "CT"} if which == 0 else {},
    )


def _nothing_found() -> Answer:
    query = _study(0, _BARE, {})
    image = replace(_image(0, _BARE), burned_in=None)
    return replace(_answer(0), query=query, image=image, hits=(), priors=())


def _hit(which: int, rank: int) -> Hit:
    return Hit(
        rank=rank,
        study=_study(which, rank, {}),
        image=_image(which, rank),
        similarity=0.9 - (rank + which) / 16,
        percentile=99.0 - rank if which == 0 else None,
        labels=() if rank == _BARE else _LABELS,
    )


def _study(which: int, number: int, attributes: Mapping[str, Any]) -> StudyRecord:
    is_bare = number == _BARE
    return StudyRecord(
        id=number,
        study_instance_uid=f"2.25.3{which}.{number}",
        patient_id=_QUERIES["PatientID"][which] if attributes else "",
        issuer_of_patient_id=_QUERIES["IssuerOfPatientID"][which] if attributes else "",
        sex=None if is_bare else "FM"[which],
        age=None if is_bare else 61,
        study_date=None if is_bare else "20010203",
        description=None,
        attributes=attributes,
    )


def _attributes(which: int) -> Mapping[str, Any]:
    """The patient and study modules of a query in the DICOM JSON model (PS3.18 F.2)."""
    header = Dataset()
    for keyword, values in _QUERIES.items():
        setattr(header, keyword, values[which])
    header.StudyInstanceUID = f"2.25.3{which}.0"
    attributes: Mapping[str, Any] = header.to_json_dict()
    return attributes


def _image(which: int, number: int) -> ImageReference:
    kind = _KINDS[which]
    is_bare = number == _BARE
    return ImageReference(
        series_instance_uid=f"2.25.4{which}.{number}",
        sop_class_uid=kind.sop_class,
        sop_instance_uid=f"2.25.5{which}.{number}",
        frame_number=kind.first_frame and kind.first_frame + number,
        modality=kind.modality,
        body_part=None if is_bare else kind.body_part,
        view=None if is_bare else kind.view,
        laterality=None if is_bare or (which, number) == _NO_SIDE else kind.laterality,
        burned_in=("NO", "YES")[which],
        lossy=which == 1,
        slice_rule="" if is_bare else f"slice rule {which}",
    )


def _space(which: int) -> SpaceSummary:
    return SpaceSummary(
        id=f"{which:016x}",
        encoder=("baseline", "another")[which],
        encoder_version=str(which),
        weights_digest="",
        preprocessing=f"preprocessing {which}",
        window_rule=f"window rule {which}",
        slice_rule=f"slice rule {which}",
        pooling=f"pooling {which}",
        dimension=768,
        metric="cosine",
    )


def _predecessor(which: int) -> DocumentReference:
    sop_class = (Comprehensive3DSRStorage, EnhancedSRStorage)[which]
    return DocumentReference(f"2.25.3{which}.0", f"2.25.6{which}", sop_class, f"2.25.7{which}")


def _picture() -> bytes:
    """A gray PNG of 64 by 64 pixels."""
    file = BytesIO()
    Image.new("L", (64, 64), 128).save(file, "PNG")
    return file.getvalue()

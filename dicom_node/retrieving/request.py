"""A C-GET or C-MOVE request for one instance (PS3.4 C.4.2.1, C.4.3.1)."""

from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.dsutils import encode

from dicom_node.retrieving.retriever import WantedInstance
from dicom_node.sop_classes import GET_MODEL, MOVE_MODEL

LOW_PRIORITY = 2
"""PS3.7 9.3.3.1: nobody sits waiting for it."""


def request_for(wanted: WantedInstance, number: int, syntax: UID, *, move_to: str = "") -> Any:
    """A C-GET, or a C-MOVE to an AE title if one is given; pynetdicom's primitive.

    ``syntax`` is that of its Identifier, ``number`` its Message ID.
    """
    request = C_MOVE() if move_to else C_GET()
    if move_to:
        request.MoveDestination = move_to
    request.MessageID = number
    request.AffectedSOPClassUID = MOVE_MODEL if move_to else GET_MODEL
    request.Priority = LOW_PRIORITY
    encoded = encode(_identifier(wanted), syntax.is_implicit_VR, syntax.is_little_endian)
    request.Identifier = BytesIO(encoded or b"")
    return request


def _identifier(wanted: WantedInstance) -> Dataset:
    """The unique keys of all levels down to the image's (PS3.4 C.4.2.1.4, C.6.2.1)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = wanted.study_instance_uid
    identifier.SeriesInstanceUID = wanted.series_instance_uid
    identifier.SOPInstanceUID = wanted.sop_instance_uid
    return identifier

"""What can go wrong and a person can do something about; imported only once something did."""

from sqlalchemy.exc import DBAPIError

from dicom_node.changeover.asked import ChangeoverError
from dicom_node.child_process import StartError
from dicom_node.http.service import HttpPortTakenError
from dicom_node.identity import IdentityError
from dicom_node.received import UnreadableError
from dicom_node.report.filing import ReportError
from dicom_node.reporting import NoPictureError, UnknownPeerError
from dicom_node.scp import PortTakenError
from dicom_node.scu import SendError
from dicom_node.settings_file import SettingsError
from dicom_node.tls import TlsError
from encoders.encoder import EncoderError
from encoders.image import PixelError
from encoders.training.fault import TrainingError
from evaluation.collection import CollectionError
from evaluation.measures import MeasureError
from evaluation.nearest import VectorsError
from evaluation.papers import UnknownTableError
from storage.database import DatabaseError
from storage.index import SnapshotError
from storage.labels import LabelError
from storage.search import SearchError
from storage.tokens import TokenError
from storage.vectors.gpu import NoGpuError

KNOWN_FAULTS = (
    ChangeoverError,
    CollectionError,
    DatabaseError,
    DBAPIError,
    IdentityError,
    PixelError,
    HttpPortTakenError,
    NoGpuError,
    NoPictureError,
    OSError,  # the data folder, mostly: not ours to write, or the disk is full
    PortTakenError,
    TlsError,
    TokenError,
    TrainingError,
    EncoderError,
    LabelError,
    MeasureError,
    ReportError,
    SearchError,
    SendError,
    SettingsError,
    SnapshotError,
    StartError,
    UnknownPeerError,
    UnknownTableError,
    UnreadableError,
    VectorsError,
)
"""Told in one line, without a traceback."""


def said(fault: BaseException) -> str:
    """The line."""
    if isinstance(fault, DBAPIError):
        return f"the database failed: {str(fault.orig).strip()}"
    return str(fault)

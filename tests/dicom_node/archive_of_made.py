"""A made archive that reports can be asked of: studies in the database, and no worker."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from dicom_node.reporting import Reporting
from dicom_node.settings import Peer, ReportSettings, Settings
from storage import reports
from tests.storage.made import NODE, add_study, row_of, space, unit

STUDIES = ("1.2.1", "1.2.2", "1.2.3")
"""Indexed, the first two alike, and no report on any."""
UNKNOWN = "1.2.4"
PEERS = (
    Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=1),
    Peer(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=2),
    Peer(name="ct", ae_title="CT1"),
)


def made_archive(engine: Engine, folder: Path, **report: Any) -> Reporting:
    """Writes the studies; reports are made without pictures."""
    with engine.begin() as connection:
        for number, uid in enumerate(STUDIES, start=1):
            add_indexed(connection, uid, unit(1, number == 3, 0, 0))
    return reporting_of(engine, folder, **report)


def reporting_of(engine: Engine, folder: Path, **report: Any) -> Reporting:
    """Reports by these settings of the ``[report]`` section."""
    return Reporting(engine, settings_of(folder, **report), node=NODE)


def settings_of(folder: Path, **report: Any) -> Settings:
    """Settings with peers, and these of the ``[report]`` section."""
    rules = ReportSettings(**{"picture": False, "send_to": ("pacs",), **report})
    return Settings(data_folder=folder, peers=PEERS, report=rules)


def add_indexed(connection: Connection, uid: str, vector: NDArray[np.float32]) -> None:
    """A study of a patient of its own, indexed."""
    add_study(connection, space(), uid, [vector])
    set_state(connection, uid, "indexed", revision=1)


def set_state(
    connection: Connection, uid: str, state: str, *, revision: int = 1, reason: str | None = None
) -> None:
    """Puts a study where the worker would."""
    connection.execute(
        text("UPDATE studies SET state = :s, revision = :r, reason = :w WHERE id = :id"),
        {"s": state, "r": revision, "w": reason, "id": row_of(connection, uid)},
    )


def count_of(engine: Engine, table: str) -> int:
    """How many rows a table has."""
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
"""Two rows and three columns of RGB."""


def secondary_capture(pixels: NDArray[np.uint8] = PIXELS) -> bytes:
    """A picture as a DICOM file."""
    picture = Dataset()
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    picture.SOPClassUID, picture.SOPInstanceUID = SecondaryCaptureImageStorage, "1.9.2.1"
    picture.Rows, picture.Columns = pixels.shape[:2]
    picture.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    picture.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        picture.PlanarConfiguration = 0
    picture.BitsAllocated, picture.BitsStored, picture.HighBit = 8, 8, 7
    picture.PixelRepresentation = 0
    picture.PixelData = pixels.tobytes()
    buffer = BytesIO()
    picture.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def keep_with_picture(engine: Engine, uid: str) -> bytes:
    """Keeps a report on a study that has a picture; returns the picture."""
    picture = secondary_capture()
    with engine.begin() as connection:
        reports.add(
            connection,
            reports.NewReport(
                study_id=row_of(connection, uid),
                revision=1,
                series_instance_uid="1.9.1",
                sop_class_uid="1.8",
                sop_instance_uid="1.9.1.1",
                dicom=b"a report",
                picture_sop_instance_uid="1.9.2.1",
                picture_dicom=picture,
            ),
        )
    return picture

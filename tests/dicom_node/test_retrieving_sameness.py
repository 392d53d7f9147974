"""Whether what came back is what was received: by pictures, where the bytes are others."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian

from dicom_node.part10 import dataset_digest
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.sameness import same_picture
from dicom_node.settings import EncoderSettings
from encoders.image import GrayscaleImage
from encoders.picture import to_png
from encoders.pixel_reader import PixelReader
from tests.dicom_node.archive_peers import ARCHIVE, dcmqrscp, wanted_in
from tests.dicom_node.objects import INSTANCE, radiograph
from tests.dicom_node.receivers import peer_at
from tests.dicom_node.receiving import settings_for

RAMP = np.tile(np.arange(200, dtype=np.float32), (30, 1))


def _png(levels: NDArray[np.float32]) -> bytes:
    return to_png(GrayscaleImage(levels / np.float32(255)))


@pytest.mark.parametrize(
    ("made", "same"),
    [
        (RAMP, True),
        (RAMP + 1, True),  # rounded the other way
        (RAMP + 2, False),
        (255 - RAMP, False),
        (RAMP[:, ::-1], False),
        (RAMP[:, :-1], False),
        (RAMP.T, False),
    ],
)
def test_same_pictures(made: NDArray[np.float32], same: bool) -> None:
    assert same_picture(_png(RAMP), _png(made)) is same


def test_an_image_that_was_encoded_otherwise_shows_the_same(tmp_path: Path) -> None:
    """dcmqrscp sends in explicit VR what it has in implicit VR: other bytes, the same pixels."""
    image, original = radiograph(INSTANCE), tmp_path / "original.dcm"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image.save_as(original, enforce_file_format=True)
    with dcmqrscp(tmp_path, [original]) as port, PixelReader() as reader:
        settings = settings_for(tmp_path, 1, peer_at(port, ae_title=ARCHIVE)).model_copy(
            update={"encoder": EncoderSettings(fetch_from="pacs")}
        )
        with open_retriever(settings) as retriever:
            fetched = retriever.fetch(wanted_in(original), tmp_path)
        assert dataset_digest(fetched) != dataset_digest(original)
        pictures = [to_png(reader.read(path, None)) for path in (original, fetched)]
    assert same_picture(*pictures)

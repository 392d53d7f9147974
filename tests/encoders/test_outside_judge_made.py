"""Objects made for the branches that the real images lack, beside DCMTK's pictures of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.sequence import Sequence

from encoders.grayscale import read_image
from tests.encoders.dcmtk import needs_dcmtk, shown, window_options
from tests.encoders.objects import image_object, with_items, written

pytestmark = needs_dcmtk

UNSIGNED = np.arange(256, dtype=np.uint16).reshape(16, 16)
SIGNED = (np.arange(256, dtype=np.int16) - 100).reshape(16, 16)


def table(first: int, bits: int) -> Sequence:
    """A rising, curved LUT of 64 entries from ``first`` on; of a modality's or a VOI LUT's item."""
    entries = np.linspace(0, 1, 64) ** 2 * (2**bits - 1)
    data = entries.astype("<u2").tobytes()
    return with_items(LUTDescriptor=[64, first, bits], LUTData=data, ModalityLUTType="US")


def window(center: float, width: float, function: str = "LINEAR") -> dict[str, Any]:
    return {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}


RESCALED = {"RescaleSlope": -2, "RescaleIntercept": 300}
INVERTED = {"PhotometricInterpretation": "MONOCHROME1"}


# Slopes with a fraction are not here: DCMTK keeps modality units as whole numbers.
@pytest.mark.parametrize(
    ("stored", "attributes"),
    [
        (UNSIGNED, window(100, 50)),
        (UNSIGNED, window(100.5, 33.3)),
        (UNSIGNED, window(100, 1)),
        (UNSIGNED, window(100, 2)),
        (UNSIGNED, window(100, 50, "SIGMOID")),
        (UNSIGNED, window(100, 50, "LINEAR_EXACT")),
        (UNSIGNED, window(100, 0.5, "LINEAR_EXACT")),
        (UNSIGNED, window(100, 50) | RESCALED),
        (UNSIGNED, window(100, 50, "SIGMOID") | RESCALED | INVERTED),
        (UNSIGNED, window(100, 50) | INVERTED),
        (SIGNED, window(-20, 90)),
        (SIGNED, window(-20, 90, "LINEAR_EXACT") | INVERTED),
        (UNSIGNED, {"VOILUTSequence": table(50, 8)}),
        (UNSIGNED, {"VOILUTSequence": table(50, 12)}),
        (SIGNED, {"VOILUTSequence": table(-50, 16)}),
        (UNSIGNED, {"VOILUTSequence": table(50, 12)} | INVERTED),
        (UNSIGNED, {"VOILUTSequence": table(50, 10)} | RESCALED),
        (UNSIGNED, {"ModalityLUTSequence": table(50, 8)} | window(100, 50)),
        (SIGNED, {"ModalityLUTSequence": table(-50, 10)} | window(500, 700)),
        (UNSIGNED, {"ModalityLUTSequence": table(50, 8), "VOILUTSequence": table(90, 12)}),
    ],
)
def test_ours_lies_within_one_grey_level(
    stored: NDArray[Any], attributes: dict[str, Any], tmp_path: Path
) -> None:
    path = written(image_object(stored, **attributes), tmp_path)
    image = read_image(path)
    theirs = shown(path, 0, window_options(dcmread(path), image), tmp_path)
    assert np.ptp(theirs) > 200  # a picture, not one grey
    assert np.abs(image.pixels * 255.0 - theirs).max() <= 1 + 1e-3

"""From a DICOM object to the image that an encoder sees: the standard's pixel pipeline, once."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.body_part import read_body_part
from encoders.default_window import ct_window, percentile_window
from encoders.elements import named, text
from encoders.image import GrayscaleImage, PixelError
from encoders.levels import Levels, levels_of
from encoders.lookup_table import LookupTable
from encoders.luminance import luminance, palette_luminance
from encoders.modality_lut import (
    ModalityLut,
    Rescale,
    in_hounsfield,
    is_for_display,
    read_modality_lut,
)
from encoders.padding import read_padding
from encoders.pixel_data import decode_frame, number_of_frames, open_pixels
from encoders.polarity import measure_polarity
from encoders.voi_lut import ChosenVoi, VoiLut, VoiTable, Window, read_voi_lut

WINDOW_RULE = "ps3.3-pipeline-3"
"""Version of the whole pipeline, default windows included: part of every Space."""

Rules = dict[str, str | float | int | bool | None]

_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"})


def read_image(
    source: Path | Dataset,
    frame: int | None = None,
    *,
    ct_window: tuple[float, float] | None = None,
) -> GrayscaleImage:
    """Decode one frame and apply modality LUT, padding, VOI LUT and polarity, in that order.

    Each step's clause is named in its module. Padded pixels become 0. Colour becomes luminance.

    Args:
        source: a DICOM file, or a dataset with file meta information and pixel data.
        frame: index from 0; None takes the only frame, or the middle one ``(n - 1) // 2``.
        ct_window: centre and width in HU for an image in Hounsfield units, instead of its own.

    Returns:
        The image, float32 in [0, 1], and in ``rules`` what fired with its numbers.

    Raises:
        PixelError: the image cannot be read; the message names the tag or cause.
    """
    with open_pixels(source) as pixels:
        ds = pixels.ds
        index = (number_of_frames(ds) - 1) // 2 if frame is None else frame
        stored = decode_frame(pixels, index)
    rules: Rules = {
        "transfer_syntax_uid": str(pixels.transfer_syntax),
        "decoder": stored.decoder,
        "frame_number": index + 1,
        "photometric_interpretation": text(ds, "PhotometricInterpretation"),
    }
    if text(ds, "PixelPresentation") in ("COLOR", "MIXED"):
        # PS3.3 C.8.16.2.1.1.1: all values may be shown by the grayscale pipeline alone
        rules["supplemental_palette"] = "not applied"
    gray = _display(ds, stored.values, index, rules, ct_window)
    return GrayscaleImage(gray, rules)


def refuse_blank(image: GrayscaleImage) -> None:
    """Refuse an image of one grey level: it would be like every other blank one.

    Raises:
        PixelError: the stored values are all the same, or its window shows none of them.
    """
    if image.pixels.min() == image.pixels.max():
        raise PixelError(
            f"the image is blank: {image.rules.get('voi', 'one colour')} leaves one grey level"
        )


def _display(
    ds: Dataset,
    values: NDArray[Any],
    index: int,
    rules: Rules,
    asked: tuple[float, float] | None,
) -> NDArray[np.float32]:
    photometric = rules["photometric_interpretation"]
    if photometric in ("MONOCHROME1", "MONOCHROME2") and values.ndim == 2:
        return _grayscale(ds, values, index, rules, asked)
    if photometric == "PALETTE COLOR" and values.ndim == 2:
        rules["colour"] = "luminance BT.601 of the palette"
        return palette_luminance(values, ds)
    if photometric in _COLOURS and values.ndim == 3:
        rules["colour"] = "luminance BT.601"
        return luminance(values, ds.BitsStored)
    raise PixelError(
        f"{named('PhotometricInterpretation')} {photometric} with {ds.SamplesPerPixel} samples "
        "per pixel is not supported; send the object as MONOCHROME2 or RGB"
    )


def _grayscale(
    ds: Dataset,
    stored: NDArray[Any],
    index: int,
    rules: Rules,
    asked: tuple[float, float] | None,
) -> NDArray[np.float32]:
    levels = levels_of(stored)
    padded = _padded(ds, stored, rules)
    modality = read_modality_lut(ds, index)
    rules.update(_modality_rules(modality))
    if not is_for_display(ds):
        rules["modality_lut"] = "identity: that of XA and RF is not for display"
    body_part = read_body_part(ds, index)
    chosen = read_voi_lut(ds, index, signed=_signed(ds, modality), body_part=body_part)
    voi: VoiLut | None
    if asked is not None and in_hounsfield(ds, modality):
        voi = Window(*asked)
        rules.update(_voi_rules(voi, "window of the encoder"))
    elif chosen is None:
        voi, rule = _default_voi(ds, levels, padded, modality, body_part)
        rules.update(_voi_rules(voi, rule))
    else:
        voi = chosen.voi
        rules.update(_chosen_rules(chosen))
    inverted = rules["inverted"] = _inverted(ds, rules)
    if voi is None:
        return np.zeros(stored.shape, np.float32)
    shown = levels.mapped(lambda values: _shown(values, modality, voi, inverted=inverted))
    if padded is not None:
        shown[padded] = 0.0
    rules.update(_polarity_rules(ds, shown, padded))
    return shown


def _shown(
    values: NDArray[np.float64], modality: ModalityLut | None, voi: VoiLut, *, inverted: bool
) -> NDArray[np.float64]:
    display = voi(values if modality is None else modality(values))
    return 1.0 - display if inverted else display  # polarity after VOI (PS3.3 C.7.6.3.1.2)


def _padded(ds: Dataset, stored: NDArray[Any], rules: Rules) -> NDArray[np.bool_] | None:
    padding = read_padding(ds)
    if padding is None:
        return None
    mask = padding.mask(stored)
    rules["padding_low"], rules["padding_high"] = padding.low, padding.high
    rules["padded_share"] = round(float(mask.mean()), 6)
    return mask


def _signed(ds: Dataset, modality: ModalityLut | None) -> bool:
    if isinstance(modality, LookupTable):
        return False
    if modality is not None and (modality.intercept < 0 or modality.slope < 0):
        return True
    return bool(ds.PixelRepresentation == 1)


def _default_voi(
    ds: Dataset,
    levels: Levels,
    padded: NDArray[np.bool_] | None,
    modality: ModalityLut | None,
    body_part: str | None,
) -> tuple[Window | None, str]:
    if in_hounsfield(ds, modality):
        return ct_window(body_part)
    values, counts = levels.histogram(padded)
    return percentile_window(values if modality is None else modality(values), counts)


def _inverted(ds: Dataset, rules: Rules) -> bool:
    """Presentation LUT Shape decides where it is given, else Photometric Interpretation.

    PS3.3 C.8.11.3.1.2 pairs INVERSE with MONOCHROME1 and IDENTITY with MONOCHROME2, so the two
    are one statement and never invert twice; where they disagree the shape has the last word,
    as the last step of the grayscale pipeline (PS3.4 N.2.1).
    """
    shape = text(ds, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        rules["presentation_lut_shape"] = shape
        return shape == "INVERSE"
    return rules["photometric_interpretation"] == "MONOCHROME1"


def _polarity_rules(
    ds: Dataset, shown: NDArray[np.float32], padded: NDArray[np.bool_] | None
) -> Rules:
    """What the pixels say of the polarity: a flag for people, which flips nothing."""
    if text(ds, "Modality") == "US":  # its fans and cropped frames say nothing of polarity
        return {}
    evidence = measure_polarity(shown, padded)
    return {"polarity_evidence": evidence.value, "polarity_suspect": evidence.suspect}


def _modality_rules(modality: ModalityLut | None) -> Rules:
    if modality is None:
        return {"modality_lut": "identity"}
    if isinstance(modality, Rescale):
        return {
            "modality_lut": "rescale",
            "rescale_slope": modality.slope,
            "rescale_intercept": modality.intercept,
        }
    return {"modality_lut": "Modality LUT Sequence", "modality_lut_first": modality.first}


def _chosen_rules(chosen: ChosenVoi) -> Rules:
    table = isinstance(chosen.voi, VoiTable)
    rules = _voi_rules(chosen.voi, "VOI LUT Sequence" if table else "window of the object")
    taken = chosen.alternative
    if taken.count > 1:
        rules["voi_number"], rules["voi_count"] = taken.index + 1, taken.count
        rules["voi_explanation"], rules["voi_chosen_by"] = taken.explanation, taken.by
    return rules


def _voi_rules(voi: VoiLut | None, rule: str) -> Rules:
    if isinstance(voi, Window):
        return {
            "voi": rule,
            "voi_function": voi.function,
            "window_center": voi.center,
            "window_width": voi.width,
        }
    return {"voi": rule}

"""How the node makes an encoder: that of its settings, or that of a space of the archive."""

import dataclasses
import logging
from pathlib import Path

from dicom_node.settings import Settings
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import kept_path, sha256_of
from encoders.folders.naming import absolute
from encoders.header import ImageHeader
from encoders.image import GrayscaleImage
from encoders.lock import read_lock
from encoders.registry import create, find
from encoders.space import Space
from storage.answer import ImageReference, SpaceSummary
from storage.spaces import Maker

log = logging.getLogger(__name__)

_LONGEST = 40


def maker_of(settings: Settings) -> Maker:
    """How the encoder is made that a new archive starts with."""
    asked = settings.encoder
    weights = None if asked.weights is None else str(asked.weights.absolute())
    return Maker(absolute(asked.name), weights, asked.precision)


def encoder_options(settings: Settings, maker: Maker | None = None) -> EncoderOptions:
    """How the settings have encoders made here; what makes a space of it is by ``maker``."""
    asked, maker = settings.encoder, maker or maker_of(settings)
    return EncoderOptions(
        weights=None if maker.weights is None else Path(maker.weights),
        folder=settings.weights_folder,
        allow_pickle=asked.allow_pickle,
        device=asked.device,
        threads=asked.threads,
        batch=asked.batch,
        precision="bf16" if maker.precision == "bf16" else "fp32",
        compile=asked.compile,
        deterministic=asked.deterministic,
        runtime=asked.runtime,
    )


def make_encoder(settings: Settings, maker: Maker) -> CheckedEncoder:
    """The encoder that ``maker`` says, that of the settings where it names none.

    Raises:
        EncoderError: it cannot be made here; the message says what is missing.
    """
    maker = maker if maker.name else maker_of(settings)
    return create(maker.name, encoder_options(settings, maker))


def make_again(settings: Settings, maker: Maker, space: SpaceSummary) -> CheckedEncoder:
    """The encoder of a known space, by the weights that it was made with.

    ``likeness encoders fetch --again`` brings other weights, which are for a new space: this one
    goes on with those that it has, as long as they are here.

    Raises:
        EncoderError: as for ``make_encoder``.
    """
    kept = _kept_weights(settings, maker, space)
    if kept is not None:
        maker = dataclasses.replace(maker, weights=str(kept))
    return make_encoder(settings, maker)


def _kept_weights(settings: Settings, maker: Maker, space: SpaceSummary) -> Path | None:
    """Weights that were fetched for a space and are not the newest ones; None if there are none."""
    name, digest = maker.name or space.encoder, space.weights_digest
    if maker.weights is not None or name != space.encoder or not digest:
        return None
    folder = settings.weights_folder
    newest = read_lock(folder).encoders.get(name)
    if newest is None or newest.sha256 == digest:
        return None
    path = kept_path(name, folder, digest)
    if path is None:
        return None
    try:
        is_whole = sha256_of(path) == digest
    except OSError as fault:
        raise EncoderError(f"weights file {path} cannot be read: {fault.strerror}") from fault
    if not is_whole:
        log.error("weights file %s is not what was fetched for space %s", path, space.id)
    return path if is_whole else None


def declaration_of(space: SpaceSummary, maker: Maker) -> Declaration:
    """What the encoder of a space declares of itself.

    An encoder folder is found by its path, which the maker has: its space has its name only.

    Raises:
        EncoderError: this version does not know it, or its folder is gone.
    """
    return find(maker.name or space.encoder)


def summary_of(space: Space) -> SpaceSummary:
    """An encoder's space as storage and reports know it."""
    return SpaceSummary(id=space.id, **dataclasses.asdict(space))


def differences(expected: SpaceSummary, made: SpaceSummary) -> str:
    """The fields in which two spaces differ, but for their ids, in words."""
    fields = [entry.name for entry in dataclasses.fields(SpaceSummary) if entry.name != "id"]
    return "; ".join(
        f"{name} is {_short(getattr(made, name))} instead of {_short(getattr(expected, name))}"
        for name in fields
        if getattr(made, name) != getattr(expected, name)
    )


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def named(image: GrayscaleImage, key: str, of: ImageHeader | ImageReference) -> GrayscaleImage:
    """The image with what encoders may ask of it beside its pixels.

    Args:
        image: as it was read.
        key: by ``image_key``.
        of: what is known of it.
    """
    body_part = of.body_part or ""
    return dataclasses.replace(image, key=key, modality=of.modality, body_part=body_part)


def image_key(sop_instance_uid: str, frame_number: int | None) -> str:
    """What names an image for ``encoders.image.GrayscaleImage``; frames count from 1."""
    return sop_instance_uid if frame_number is None else f"{sop_instance_uid}#{frame_number}"

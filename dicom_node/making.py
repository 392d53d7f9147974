"""How the node makes an encoder: that of its settings, or that of a space of the archive."""

import dataclasses
from pathlib import Path

from dicom_node.settings import Settings
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderOptions
from encoders.registry import create
from encoders.space import Space
from storage.answer import SpaceSummary
from storage.spaces import Maker

_LONGEST = 40


def maker_of(settings: Settings) -> Maker:
    """How the encoder is made that a new archive starts with."""
    asked = settings.encoder
    weights = None if asked.weights is None else str(asked.weights.absolute())
    return Maker(asked.name, weights, asked.precision)


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


def image_key(sop_instance_uid: str, frame_number: int | None) -> str:
    """What names an image for ``encoders.image.GrayscaleImage``; frames count from 1."""
    return sop_instance_uid if frame_number is None else f"{sop_instance_uid}#{frame_number}"

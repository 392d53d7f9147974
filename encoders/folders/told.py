"""What the ``encoder.json`` of a folder says, checked word by word."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from encoders.body_part import Region
from encoders.declaration import Declaration, InFolder, Names
from encoders.encoder import EncoderError
from encoders.networks.known import place_of
from encoders.preprocessing import Preprocessing

TOLD, WEIGHTS, CARD = "encoder.json", "model.safetensors", "README.md"
"""The three files of a folder."""
HEAD = "head."
"""What stands before the names of tensors that only training needs."""
NAMES = Names(ignored=(HEAD,))
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\P{Cc}+$")]
"""Of an encoder: one line."""
ARITHMETIC = "1"
"""Changes whenever what is done with a folder's network changes."""


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a network, if it is what a JSON file can hold.

    Raises:
        ValueError: it is not; or a number is NaN or infinite.
    """
    try:
        json.dumps(config, allow_nan=False)
    except TypeError as fault:  # a date of TOML's
        raise ValueError(str(fault)) from fault
    return config


class Told(BaseModel):
    """An encoder's declaration, as its folder has it.

    Attributes:
        format: of this file.
        name: of the encoder; with the weights' digest and the preprocessing it names its space,
            wherever the folder lies.
        summary: one line for people.
        network: a name of ``encoders.networks.known``.
        config: its parameters.
        pooling: how its last map becomes a vector.
        dimension: of a vector.
        preprocessing: what it was trained to see.
        modalities: that it was made for; empty for any.
        body_regions: that it was made for, as ``encoders.body_part`` names them; empty for any.
        outputs: what its head tells, in order; empty where it has none.
        licence: of the weights.
        reference: the paper.
        weights_sha256: of ``model.safetensors``.
        made: how it was trained: recipe, seed, versions of libraries ..., for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    name: Name
    summary: str
    network: str
    config: dict[str, Any]
    pooling: str
    dimension: int = Field(ge=1)
    preprocessing: Preprocessing
    modalities: tuple[str, ...] = ()
    body_regions: tuple[Region, ...] = ()
    outputs: tuple[str, ...] = ()
    licence: str
    reference: str = ""
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    made: dict[str, Any] = Field(default_factory=dict)

    @field_validator("preprocessing")
    @classmethod
    def _possible(cls, asked: Preprocessing) -> Preprocessing:
        asked.must_be_possible()
        return asked

    @field_validator("config")
    @classmethod
    def _plain(cls, config: dict[str, Any]) -> dict[str, Any]:
        return plain(config)

    @property
    def version(self) -> str:
        """For the space: what no tensor tells of how vectors are made, such as which head is used.

        Weights of one digest fill networks that differ in their parameters alone.
        """
        # beside the descriptor, networks speak only of images that they were made for
        made_for = [self.modalities, self.body_regions] if self.preprocessing.descriptor else []
        told = json.dumps([self.network, self.config, *made_for], sort_keys=True)
        return f"{ARITHMETIC}; {hashlib.sha256(told.encode()).hexdigest()[:16]}"


def read_told(folder: Path) -> Told:
    """What a folder says of itself.

    Raises:
        EncoderError: there is no such file, or it is faulty; all faults are told at once.
    """
    path = folder / TOLD
    try:
        return Told.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise EncoderError(
            f"{path} cannot be read ({fault.strerror}); an encoder folder has {TOLD}, {WEIGHTS} "
            f"and {CARD}, as `likeness train` writes them"
        ) from fault
    except ValidationError as fault:
        faults = (
            f"{'.'.join(map(str, one['loc'])) or TOLD}: {one['msg']}" for one in fault.errors()
        )
        raise EncoderError(f"{path}: {'; '.join(faults)}") from fault


def declaration_of(told: Told, folder: Path) -> Declaration:
    """The declaration of an encoder that lies in a folder.

    Raises:
        EncoderError: its network is none of those that are known.
    """
    return Declaration(
        name=told.name,
        summary=told.summary,
        network=place_of(told.network),
        config=told.config,
        source=InFolder(folder / WEIGHTS, told.weights_sha256),
        preprocessing=told.preprocessing,
        pooling=told.pooling,
        dimension=told.dimension,
        licence=told.licence,
        modalities=told.modalities,
        body_regions=told.body_regions,
        names=NAMES,
        version=told.version,
        reference=told.reference,
    )

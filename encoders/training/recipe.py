"""A recipe: what is trained on which targets, how, by whose paper; ``recipe_files`` reads it."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from encoders.body_part import Region
from encoders.folders.told import Name, plain
from encoders.preprocessing import Preprocessing
from encoders.training.fault import TrainingError

Aim = Literal["label", "labels", "class", "number"]
LossName = Literal[
    "none", "bce", "balanced bce", "weighted bce", "l1", "batch-all triplet", "ath", "distilled"
]
OptimiserName = Literal["sgd", "adam", "adamw", "adadelta"]
Monitor = Literal["loss", "auc", "f1", "mae", "p@1"]
SplitBy = Literal["patient", "image", "official"]

_AIMS: Mapping[LossName | Monitor, Aim] = MappingProxyType(
    {"batch-all triplet": "class", "p@1": "class", "l1": "number", "mae": "number"}
)
"""What a loss or a figure is of, where it is of one aim only."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Targets(_Part):
    """What a network learns to tell.

    Attributes:
        aim: one ``label`` (there or not), several ``labels``, one of a column's values
            (``class``), or a ``number``.
        names: the label, the labels, or the column; of ``labels`` none stands for all that the
            collection has, and of ``class`` the name ``label`` for the one that images have.
        label_set: labels of a named set that merges the collection's; then ``names`` may be empty.
        negatives: images without the label that count as such: ``any``, or those that have no
            label of the whole collection at all (``no finding``).
        undersample: whether so many negatives are drawn as there are positives.
        uncertain: what becomes of labels that are uncertain: not asked about, or one or the other.
        bins: bounds that cut a number into classes, by which neighbours are judged.
        unit: of the number.
        beside: what else is learned and never judged: ``COLUMN=VALUE``, or ``no finding``.
        teacher: whether what another network says (``--teacher FILE``) is learned, too.
    """

    aim: Aim
    names: tuple[str, ...] = ()
    label_set: str = ""
    negatives: Literal["any", "no finding"] = "any"
    undersample: bool = False
    uncertain: Literal["ignore", "positive", "negative"] = "ignore"
    bins: tuple[float, ...] = ()
    unit: str = ""
    beside: tuple[str, ...] = ()
    teacher: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "Targets":
        merged = self.aim == "label" and self.label_set and not self.names
        if self.aim != "labels" and len(self.names) != 1 and not merged:
            raise ValueError(f"a {self.aim} is one name, not {len(self.names)}")
        if self.aim in {"class", "number"} and self.label_set:
            raise ValueError(f"a {self.aim} is no label that a label set could merge")
        if list(self.bins) != sorted(set(self.bins)):
            raise ValueError("bins rise")
        return self


class Network(_Part):
    """What is trained: as a ``Declaration`` tells it.

    Attributes:
        builder: a name of ``encoders.networks.known``.
        config: its parameters.
        pooling: how its last map becomes a vector.
        dimension: of a vector.
        neighbours: which regions are related, where the network's config needs to be told: by the
            findings that they share (``jaccard``, of sets that tell findings of regions), or by
            where they lie (``touching``).
        head: what stands on it while it learns (``encoders.training.heads``).
        dropout: part of the vector that its head does not see, by lot, while it learns.
        frozen: parts of it that stay as they are, by the beginnings of their tensors' names.
        init: what the paper began with, for people; ``--init`` gives a file.
        init_into: the part that such a file is of, by the beginning of its tensors' names; empty
            for the whole, and where a network is made of other recipes', for theirs.
    """

    builder: str
    config: dict[str, Any] = Field(default_factory=dict)
    pooling: str = "none"
    dimension: int = Field(ge=1)
    neighbours: Literal["", "jaccard", "touching"] = ""
    head: str = "linear"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    frozen: tuple[str, ...] = ()
    init: str = ""
    init_into: str = ""

    @field_validator("config")
    @classmethod
    def _plain(cls, config: dict[str, Any]) -> dict[str, Any]:
        return plain(config)


class Augmentation(_Part):
    """What is changed of an image by lot each time that it is shown.

    Attributes:
        flip: probability of a mirror image, left for right.
        rotate: degrees, at most, either way.
        translate: part of the side, at most, either way.
        scale: least part of the side that is cut out and brought to the whole.
        gamma: exponents from 1 / (1 + gamma) to 1 + gamma, of gray levels between the image's own
            least and greatest.
        noise: standard deviation of what is added to gray levels in [0, 1].
        erase: probability that a rectangle of up to a fifth of the image is made even.
    """

    flip: float = Field(default=0.0, ge=0, le=1)
    rotate: float = Field(default=0.0, ge=0, le=180)
    translate: float = Field(default=0.0, ge=0, lt=1)
    scale: float = Field(default=1.0, gt=0, le=1)
    gamma: float = Field(default=0.0, ge=0)
    noise: float = Field(default=0.0, ge=0)
    erase: float = Field(default=0.0, ge=0, le=1)


class Optimiser(_Part):
    """How weights follow the loss.

    Attributes:
        name: of the method.
        rate: learning rate.
        momentum: of sgd.
        decay: of weights.
        plateau: what the rate is multiplied by where the monitored figure rises no more; 1: never.
        plateau_patience: epochs that are waited for that.
        least_rate: below which it never falls.
        cosine: whether the rate falls to 0 along half a cosine instead.
        clip: greatest length of a gradient; 0 for none.
        accumulate: batches of one step.
    """

    name: OptimiserName
    rate: float = Field(gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    decay: float = Field(default=0.0, ge=0)
    plateau: float = Field(default=1.0, gt=0, le=1)
    plateau_patience: int = Field(default=2, ge=0)
    least_rate: float = Field(default=0.0, ge=0)
    cosine: bool = False
    clip: float = Field(default=0.0, ge=0)
    accumulate: int = Field(default=1, ge=1)


class Needed(_Part):
    """An encoder that another recipe makes, which this one is made of.

    Attributes:
        recipe: its name.
        body: what stands before its tensors' names in this network.
        head: what stands before those of its head; empty where this network has none.
    """

    recipe: str
    body: str
    head: str = ""


class Schedule(_Part):
    """How long, on what, and when it is enough.

    Attributes:
        epochs: at most; 0 for a network that is only put together of others.
        batch: images of a step; with ``classes_per_batch`` it is that many times ``per_class``.
        classes_per_batch: of a batch that holds as many images of each class; 0 for one by lot.
        per_class: images of each of its classes.
        monitor: which figure of the validation images chooses the epoch that is kept.
        patience: epochs without a better one after which it ends; 0 for never.
        images: that are trained on, at most, by lot; 0 for all.
        parts: of patients (or images) for training, validation and test.
        split: who is kept apart by default.
        paper_split: how the paper kept them apart, which a flag asks for.
    """

    epochs: int = Field(ge=0)
    batch: int = Field(default=32, ge=1)
    classes_per_batch: int = Field(default=0, ge=0)
    per_class: int = Field(default=0, ge=0)
    monitor: Monitor = "loss"
    patience: int = Field(default=0, ge=0)
    images: int = Field(default=0, ge=0)
    parts: tuple[float, float, float] = (0.7, 0.15, 0.15)
    split: SplitBy = "patient"
    paper_split: SplitBy = "patient"

    @model_validator(mode="after")
    def _whole(self) -> "Schedule":
        if bool(self.classes_per_batch) != bool(self.per_class) or self.classes_per_batch == 1:
            raise ValueError("classes_per_batch, at least 2, and per_class go together")
        if min(self.parts) < 0 or not self.parts[0]:
            raise ValueError("parts are not negative, and that for training is not 0")
        return self


class Recipe(_Part):
    """A recipe.

    Attributes:
        name: as the command line gives it.
        summary: one line for people.
        source: paper and section.
        paper: one of the five, 0 for none.
        modalities: that its encoder is made for, as (0008,0060) has them.
        body_regions: that it is made for, as ``encoders.body_part`` names them; empty for any.
        notes: where the paper is silent or its code differs, and what is done here.
        needs: encoders that it is made of.
        smoke: parts of the recipe as they stand at the smallest scale that still shows that all
            works, by the tables' names.
    """

    name: Name
    summary: str
    source: str
    paper: int = Field(default=0, ge=0, le=5)
    modalities: tuple[str, ...] = ()
    body_regions: tuple[Region, ...] = ()
    notes: tuple[str, ...] = ()
    needs: tuple[Needed, ...] = ()
    targets: Targets
    network: Network
    preprocessing: Preprocessing
    augmentation: Augmentation = Augmentation()
    loss: LossName
    loss_options: dict[str, float] = Field(default_factory=dict)
    optimiser: Optimiser
    schedule: Schedule
    smoke: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("preprocessing")
    @classmethod
    def _seeable(cls, asked: Preprocessing) -> Preprocessing:
        asked.must_be_possible()
        return asked

    @model_validator(mode="after")
    def _fitting(self) -> "Recipe":
        aim = self.targets.aim
        for name in (self.loss, self.schedule.monitor):
            if _AIMS.get(name, aim) != aim:
                raise ValueError(f"{name} is of a {_AIMS[name]}, and the aim is {aim}")
        if self.schedule.classes_per_batch and aim != "class":
            raise ValueError(f"batches hold classes where the aim is class, not {aim}")
        return self

    @property
    def digest(self) -> str:
        """Of all that is done; a checkpoint belongs to it. Words and smoke scale may change."""
        done = self.model_dump_json(exclude={"summary", "source", "notes", "smoke"})
        return hashlib.sha256(done.encode()).hexdigest()[:16]

    def changed(self, parts: Mapping[str, Mapping[str, Any]]) -> "Recipe":
        """With other values, by table and name.

        Raises:
            TrainingError: there is no such table or name, or a value is none.
        """
        told = self.model_dump()
        for table in parts:
            if not isinstance(told.get(table), dict):
                raise TrainingError(f"recipe {self.name} has no table {table!r}")
        return validated(merged(told, parts), f"recipe {self.name}")

    def at_smoke_scale(self) -> "Recipe":
        """Small enough to be run through within minutes on two cores."""
        return self.changed(self.smoke)


def merged(told: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """What is told, with other values; tables within tables, while a list is taken as a whole."""
    both = dict(told)
    for name, value in over.items():
        old = both.get(name)
        both[name] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def validated(told: Mapping[str, Any], where: str) -> Recipe:
    """What is told, as a recipe.

    Args:
        told: by the tables' names.
        where: it stands, for people.

    Raises:
        TrainingError: it is faulty; all faults are told at once.
    """
    try:
        return Recipe.model_validate(told)
    except ValidationError as fault:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in fault.errors())
        raise TrainingError(f"{where}: {'; '.join(faults)}") from fault

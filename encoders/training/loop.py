"""The one loop of all recipes: Lightning's, gone on with after a stop at any moment.

Order, changes by lot and dropout follow from the seed and the epoch alone. A run that was stopped
goes on from the end of its last whole epoch, and comes to the same network.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from encoders.training.fault import TrainingError
from encoders.training.judging import RISING
from encoders.training.learner import MONITORED, Learner, NotFiniteError
from encoders.training.recipe import Recipe, Schedule

Progress = Callable[[int, int, str], None]
"""Is told how many steps are done, of how many, and the figures of the last epoch."""
Precision = Literal["32", "bf16", "16"]
History = tuple[Mapping[str, float], ...]

LAST, BEST = "last", "best"
_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
_STAMP, _HISTORY = "likeness_stamp", "likeness_history"


def quiet(_done: int, _of: int, _figures: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Run:
    """How a recipe is run here.

    Attributes:
        folder: of the checkpoints.
        stamp: what a checkpoint must be of to be gone on with: recipe, images, seed ..., by name.
        seed: of all lots.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: of the arithmetic; the optimiser's is always of 32 bits.
        progress: is told how far it is.
    """

    folder: Path
    stamp: Mapping[str, str]
    seed: int
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "32"
    progress: Progress = quiet


@dataclass(frozen=True)
class Ended:
    """What a run came to.

    Attributes:
        epoch: whose weights are kept, from 1.
        history: the figures of each epoch, those before a stop too.
        why: it ended.
        fault: what went wrong; empty where nothing did.
    """

    epoch: int
    history: History
    why: str
    fault: str = ""


def run(learner: Learner, recipe: Recipe, this: Run) -> Ended:
    """Train, or go on with it; the chosen epoch's weights are in the learner afterwards.

    Raises:
        TrainingError: a checkpoint is of something else or damaged; or the loss is no number
            before any epoch was whole.
    """
    last, best = (this.folder / f"{name}.ckpt" for name in (LAST, BEST))
    history = _history(last, this.stamp) if last.exists() else ()
    fault = ""
    if not enough(history, recipe.schedule):
        fault = _fitted(learner, recipe, this, last if last.exists() else None)
        if fault and not best.exists():
            raise NotFiniteError(fault)
    chosen, history = _read(best), _history(last, this.stamp)
    learner.load_state_dict(chosen["state_dict"])
    early = f"no better epoch for {recipe.schedule.patience}"
    why = "all epochs done" if len(history) >= recipe.schedule.epochs else early
    return Ended(
        int(chosen["epoch"]) + 1, history, "the loss is no number" if fault else why, fault
    )


def enough(history: History, schedule: Schedule) -> bool:
    """Whether no further epoch is wanted: all are done, or none was better for long enough."""
    if len(history) >= schedule.epochs:
        return True
    if not schedule.patience or not history:
        return False
    told = np.array([one[MONITORED] for one in history])
    best = int(told.argmax() if RISING[schedule.monitor] else told.argmin())
    return len(history) - 1 - best >= schedule.patience


def _fitted(learner: Learner, recipe: Recipe, this: Run, last: Path | None) -> str:
    """Runs the epochs that lack; returns what went wrong, empty where nothing did."""
    with _quietly():
        trainer = _trainer(recipe, this, validates=learner.validates)
        try:
            trainer.fit(learner, ckpt_path=last, weights_only=True)
        except NotFiniteError as found:
            return str(found)
    return ""


@contextmanager
def _quietly() -> Iterator[None]:
    """Lightning's advice is for who writes loops, not for who runs recipes."""
    log = logging.getLogger("pytorch_lightning")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            yield
    finally:
        log.setLevel(before)


def _saving(recipe: Recipe, this: Run) -> list[Callback]:
    """The chosen epoch's checkpoint first: the last one's tells which that is."""
    mode = "max" if RISING[recipe.schedule.monitor] else "min"
    options: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    return [
        ModelCheckpoint(this.folder, BEST, monitor=MONITORED, mode=mode, **options),
        ModelCheckpoint(this.folder, LAST, **options),
    ]


def _trainer(recipe: Recipe, this: Run, *, validates: bool) -> Trainer:
    optimiser, schedule = recipe.optimiser, recipe.schedule
    told = [_Lots(this.seed), _Kept(this.stamp, schedule), _Told(this.progress)]
    return Trainer(
        accelerator="gpu" if this.device == "cuda" else this.device,
        devices=1,
        precision=_PRECISIONS[this.precision],  # type: ignore[arg-type] # one of its names
        max_epochs=schedule.epochs,
        gradient_clip_val=optimiser.clip or None,
        accumulate_grad_batches=optimiser.accumulate,
        reload_dataloaders_every_n_epochs=1,  # each epoch has an order and changes of its own
        callbacks=[*told, *_saving(recipe, this)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validates else 0,
        use_distributed_sampler=False,
        default_root_dir=this.folder,
    )


def _history(last: Path, stamp: Mapping[str, str]) -> History:
    found = _read(last)
    _must_be_of(found, last, stamp)
    return tuple(found[_HISTORY])


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint; of tensors and plain values only.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, KeyError) as fault:
        raise TrainingError(
            f"checkpoint {path} cannot be read ({type(fault).__name__}: it is damaged, or none); "
            "begin again with --again"
        ) from fault
    return found


def _must_be_of(found: Mapping[str, Any], path: Path, stamp: Mapping[str, str]) -> None:
    told: Mapping[str, str] = found.get(_STAMP, {})
    other = [
        f"{name} {told.get(name) or 'unknown'} instead of {value}"
        for name, value in stamp.items()
        if told.get(name) != value
    ]
    if other:
        raise TrainingError(
            f"checkpoint {path} is of another run ({', '.join(other)}); give another folder with "
            "--output, or begin again with --again"
        )


class _Lots(Callback):
    """What is drawn in a batch follows from the seed, the epoch's number and its own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, _learner: LightningModule, _batch: object, batch_idx: int
    ) -> None:
        """For dropout; order and changes have lots of their own.

        Before each batch, for a run that goes on draws other numbers before its first.
        """
        drawn = np.random.SeedSequence([self._seed, trainer.current_epoch, batch_idx])
        torch.manual_seed(int(drawn.generate_state(1)[0]))


class _Kept(Callback):
    """Figures of each epoch, and what a checkpoint is of, in the checkpoint; ends the run."""

    def __init__(self, stamp: Mapping[str, str], schedule: Schedule) -> None:
        self._stamp = dict(stamp)
        self._schedule = schedule
        self._history: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, _learner: LightningModule) -> None:
        """Before the checkpoint is written."""
        told = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._history.append(told)
        trainer.should_stop = enough(tuple(self._history), self._schedule)

    def on_save_checkpoint(
        self, _trainer: Trainer, _learner: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds both."""
        checkpoint[_STAMP], checkpoint[_HISTORY] = self._stamp, list(self._history)

    def on_load_checkpoint(
        self, _trainer: Trainer, _learner: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Goes on with the figures."""
        self._history = list(checkpoint[_HISTORY])


class _Told(Callback):
    """Tells how far it is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._figures = ""

    def on_train_batch_end(
        self,
        trainer: Trainer,
        _learner: LightningModule,
        _outputs: object,
        _batch: object,
        batch_idx: int,
    ) -> None:
        """After each batch."""
        steps, epochs = int(trainer.num_training_batches), trainer.max_epochs or 1
        done = trainer.current_epoch * steps + batch_idx + 1
        self._progress(done, steps * epochs, self._figures)

    def on_train_epoch_end(self, trainer: Trainer, _learner: LightningModule) -> None:
        """After each epoch."""
        shown = (f"{name} {float(value):.3g}" for name, value in trainer.callback_metrics.items())
        self._figures = ", ".join(one for one in shown if not one.startswith(MONITORED))

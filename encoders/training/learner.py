"""A network that learns, as Lightning runs it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import SGD, Adadelta, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau
from torch.utils.data import DataLoader

from encoders.networks.pooled import PooledNetwork
from encoders.training.fault import TrainingError
from encoders.training.feeding import Batch, Feed
from encoders.training.judging import JUDGES, RISING
from encoders.training.losses import Loss
from encoders.training.reading import Item
from encoders.training.recipe import Optimiser

MONITORED = "monitored"
"""Under this name the figure is told that chooses the epoch."""


class NotFiniteError(TrainingError):
    """The loss is NaN or infinite: nothing after it can be right."""


class Trainee(nn.Module):
    """A network and what stands on it while it learns.

    Args:
        network: what becomes the encoder.
        head: called with what the network's body answers and with the vectors.
        frozen: parts of the body that stay as they are, their norms too, by the beginnings of
            their tensors' names.

    Raises:
        TrainingError: the body has no such part.
    """

    def __init__(self, network: PooledNetwork, head: nn.Module, frozen: Sequence[str] = ()) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self._frozen = tuple(_part(network.body, name) for name in frozen)
        for part in self._frozen:
            part.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> "Trainee":
        """As torch has it; what is frozen stays as it is asked for answers."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, batch: Tensor) -> Tensor:
        """What the loss is told, shape (images, outputs)."""
        found = self.network.body(batch)
        outputs: Tensor = self.head(found, self.network.pooled(found))
        return outputs


class Learner(LightningModule):
    """Steps of training and validation.

    Args:
        trainee: what learns.
        loss: what it learns by.
        feed: where its batches come from, and how it learns.
    """

    def __init__(self, trainee: Trainee, loss: Loss, feed: Feed) -> None:
        super().__init__()
        self.trainee = trainee
        self._loss = loss
        self._feed = feed
        self._recipe = feed.recipe
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def validates(self) -> bool:
        """Whether images are kept apart to choose the epoch."""
        return self._feed.has_validation

    def train_dataloader(self) -> DataLoader[Item]:
        """Batches of this epoch; asked for anew before each."""
        return self._feed.of_epoch(self.current_epoch)

    def val_dataloader(self) -> DataLoader[Item]:
        """Batches of the validation images."""
        return self._feed.validating()

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """The loss of a batch.

        Raises:
            NotFiniteError: it is none.
        """
        images, targets, known, _ = batch
        loss = self._loss(self.trainee(images).float(), targets, known)
        if not torch.isfinite(loss):
            raise NotFiniteError(
                f"the loss is {loss.item()} in epoch {self.current_epoch + 1}, batch {number + 1}; "
                "a smaller --rate, or --precision 32, may help"
            )
        self.log("train loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, _number: int) -> None:
        """Keeps what is said of a batch, and tells its loss."""
        images, targets, known, _ = batch
        outputs = self.trainee(images).float()
        self.log("val loss", self._loss(outputs, targets, known), batch_size=len(images))
        self._seen.append((outputs.cpu(), targets.cpu(), known.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Tells the figure that chooses the epoch."""
        outputs, targets, known = (
            torch.cat(some).numpy() for some in zip(*self._seen, strict=True)
        )
        self._seen.clear()
        name = self._recipe.schedule.monitor
        if name in JUDGES:
            asked = slice(len(self._feed.training.outputs))  # what is taught beside is not judged
            told = JUDGES[name](outputs, targets[:, asked], known[:, asked])
            self.log(f"val {name}", told)
        else:
            told = float(self.trainer.callback_metrics["val loss"])
        # an epoch that cannot be judged is never the best
        worst = -np.inf if RISING[name] else np.inf
        self.log(MONITORED, told if np.isfinite(told) else worst)

    def on_train_epoch_end(self) -> None:
        """Where no images are kept for it, the last epoch is the chosen one."""
        if not self._feed.has_validation:
            rising = RISING[self._recipe.schedule.monitor]
            self.log(MONITORED, float(self.current_epoch) * (1 if rising else -1))

    def configure_optimizers(self) -> Any:
        """As the recipe has it."""
        asked = self._recipe.optimiser
        learning = [one for one in self.trainee.parameters() if one.requires_grad]
        if not learning:
            raise TrainingError(f"recipe {self._recipe.name}: nothing is left to learn")
        optimiser = _optimiser(asked, learning)
        if asked.cosine:
            return [optimiser], [CosineAnnealingLR(optimiser, self._recipe.schedule.epochs)]
        if asked.plateau == 1:
            return optimiser
        falling = ReduceLROnPlateau(
            optimiser,
            mode="max" if RISING[self._recipe.schedule.monitor] else "min",
            factor=asked.plateau,
            patience=asked.plateau_patience,
            min_lr=asked.least_rate,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": falling, "monitor": MONITORED},
        }


def _part(body: nn.Module, name: str) -> nn.Module:
    try:
        return body.get_submodule(name.rstrip("."))
    except AttributeError as fault:
        raise TrainingError(f"the network has no part {name!r} that could stay as it is") from fault


def _optimiser(asked: Optimiser, learning: list[nn.Parameter]) -> Optimizer:
    if asked.name == "sgd":
        return SGD(learning, asked.rate, asked.momentum, weight_decay=asked.decay)
    made: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "adadelta": Adadelta}
    return made[asked.name](learning, lr=asked.rate, weight_decay=asked.decay)  # type: ignore[call-arg]

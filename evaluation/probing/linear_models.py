"""Linear classifiers on frozen vectors: logistic regression, and the recipe of paper 2."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import nn

from evaluation.collection import Positions
from evaluation.probing.targets import Targets
from evaluation.relevance import Values
from evaluation.systems.embedding import Progress, quiet

MOST_STEPS = 1000
"""Of the solver of the logistic regression."""
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
BATCH = 512
EPOCHS = 100
PATIENCE = 20
"""Epochs without a better validation, after which training stops."""
INITIAL_DEVIATION = 0.01
"""Paper 2's recipe (Denner et al., Table 6; the deviation, decay and batch from its code)."""

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Learned:
    """What a linear classifier says.

    Attributes:
        probabilities: of the images asked, shape (images, names).
        says: how it was learned, for the report.
    """

    probabilities: Values
    says: str


def logistic(
    features: Features,
    targets: Targets,
    training: Positions,
    asked: Positions,
    *,
    strength: float = 1.0,
    progress: Progress = quiet,
) -> Learned:
    """Logistic regression by scikit-learn, on features of mean 0 and deviation 1 in training.

    Of one class each it is multinomial; else each label is learned alone, from the images of which
    it is known. What has no example of its own or no counter-example keeps its training share.

    Args:
        features: shape (images, dimension).
        targets: of the same images.
        training: the images to learn from.
        asked: the images to tell of.
        strength: the inverse of the regularization (scikit-learn's C).
        progress: is told how many labels are learned.
    """
    mean, deviation = features[training].mean(axis=0), features[training].std(axis=0)
    standard = (features - mean) / np.where(deviation > 0, deviation, 1)
    found = np.repeat(targets.prevalence(training)[None], len(asked), axis=0)
    done = True
    if targets.one_each:
        classes = targets.positive[training].argmax(axis=1)
        if len(present := np.unique(classes)) > 1:
            told, done = _fitted(standard, training, asked, classes, strength)
            found[:, present] = told
        progress(1, 1)
    else:
        for at in range(len(targets.names)):
            some = training[targets.known[training, at]]
            yes = targets.positive[some, at]
            if yes.any() and not yes.all():
                told, settled = _fitted(standard, some, asked, yes, strength)
                found[:, at], done = told[:, 1], done and settled
            progress(at + 1, len(targets.names))
    settled_or_not = "" if done else f", not settled after {MOST_STEPS} steps"
    return Learned(found, f"logistic regression, C = {strength:g}{settled_or_not}")


def _fitted(
    features: Features, some: Positions, asked: Positions, yes: NDArray[np.generic], strength: float
) -> tuple[Values, bool]:
    """Probabilities, a column for each class that is there, and whether the solver settled."""
    model = LogisticRegression(C=strength, max_iter=MOST_STEPS)
    with warnings.catch_warnings():  # that it did not settle is told by what it returns
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features[some], yes)
    return model.predict_proba(features[asked]), bool((model.n_iter_ < MOST_STEPS).all())


def paper_2(
    features: Features,
    targets: Targets,
    parts: tuple[Positions, Positions],
    asked: Positions,
    *,
    seed: int = 0,
    progress: Progress = quiet,
) -> Learned:
    """One linear layer by paper 2's recipe, repeatable by the seed.

    Weights start at normal(0, 0.01); cross-entropy; AdamW; the epoch of the best validation
    accuracy is kept. Features are used as they are. Where images have several labels, which the
    paper's have not, it is each label's own cross-entropy, and the epoch of the least validation
    loss: accuracy would keep the first that says no to everything.

    Args:
        features: shape (images, dimension).
        targets: of the same images.
        parts: training and validation.
        asked: the images to tell of.
        seed: of weights and order.
        progress: is told how many epochs are done, of how many at most.
    """
    given = torch.from_numpy(np.ascontiguousarray(features, np.float32))
    truth = torch.from_numpy(targets.positive.astype(np.float32))
    known = torch.from_numpy(targets.known)
    training, validation = parts
    random = torch.Generator().manual_seed(seed)
    layer = nn.Linear(given.shape[1], len(targets.names))
    nn.init.normal_(layer.weight, 0.0, INITIAL_DEVIATION, generator=random)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    loss = _loss(targets.one_each)
    best = _Best()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(training), generator=random)
        for rows in torch.split(torch.from_numpy(training)[order], BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(loss(layer(given[rows]), truth[rows], known[rows]))
            optimizer.step()
        best.take(epoch, _merit(layer, given[validation], targets, validation), layer)
        progress(epoch + 1, EPOCHS)
        if epoch - best.epoch >= PATIENCE:
            break
    layer.load_state_dict(best.weights)
    says = f"one linear layer by paper 2's recipe, epoch {best.epoch + 1}"
    return Learned(_probabilities(layer, given[asked], one_each=targets.one_each), says)


class _Best:
    """The weights of the best epoch, the first of several."""

    def __init__(self) -> None:
        self.epoch = -1
        self.merit = -math.inf
        self.weights: dict[str, torch.Tensor] = {}

    def take(self, epoch: int, merit: float, layer: nn.Module) -> None:
        """Keeps them where this epoch is the best."""
        if merit > self.merit:
            self.epoch, self.merit = epoch, merit
            self.weights = {name: value.clone() for name, value in layer.state_dict().items()}


_Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def _loss(one_each: bool) -> _Loss:
    def of_classes(said: torch.Tensor, true: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(said, true)

    def of_labels(said: torch.Tensor, true: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        each = nn.functional.binary_cross_entropy_with_logits(said, true, reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    return of_classes if one_each else of_labels


@torch.no_grad()
def _probabilities(layer: nn.Module, features: torch.Tensor, *, one_each: bool) -> Values:
    said = layer(features).double()
    return np.asarray((said.softmax(dim=1) if one_each else said.sigmoid()).numpy())


def _merit(layer: nn.Module, features: torch.Tensor, targets: Targets, images: Positions) -> float:
    """The share of classes that are told rightly; of labels, the mean loss with its sign turned."""
    true, known = targets.positive[images], targets.known[images]
    said = _probabilities(layer, features, one_each=targets.one_each)
    if targets.one_each:
        return float((targets.decided(said) & true).any(axis=1).mean())
    likely = np.where(true, said, 1 - said)[known]
    return float(np.log(np.maximum(likely, np.finfo(np.float64).tiny)).mean())

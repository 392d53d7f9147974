"""The probes of an evaluation: what each task of it lets a probe tell, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.collection import Codes, Collection, CollectionError
from evaluation.evaluating import System
from evaluation.figures import DRAWS
from evaluation.probing.probes import Parts, Probe, Ways, knn_probe, linear_probe, parts_of
from evaluation.probing.targets import Targets, of_task
from evaluation.systems.embedding import Progress, quiet
from evaluation.tasks import Rules, Task

Kind = Literal["knn", "linear"]


@dataclass(frozen=True)
class Question:
    """What a probe is to tell.

    Attributes:
        task: whose classes or labels.
        targets: what is true of all images.
        parts: learned from, chosen by, tested with.
        patients: each image's patient.
        apart: images with the same number never vote on each other.
    """

    task: str
    targets: Targets
    parts: Parts
    patients: Codes
    apart: Codes


@dataclass(frozen=True)
class Probed:
    """What a probe of one system found.

    Attributes:
        task: whose classes or labels it told.
        kind: of the probe.
        training: images that were learned from, or voted.
        validation: images that something was chosen by.
        test: images that it was judged by.
        probe: what it found.
    """

    task: str
    kind: Kind
    training: int
    validation: int
    test: int
    probe: Probe


def questions(tasks: Sequence[Task], collection: Collection, rules: Rules) -> tuple[Question, ...]:
    """What each task lets a probe tell, by the collection's splits train, val and test.

    Splits may share patients only where the rules let a patient's other images answer.

    Raises:
        CollectionError: no task has classes or labels; one keeps values apart; a split is missing,
            nothing is known in it, or patients are in two; or no class is both in training and
            in the test.
    """
    found = tuple(_questions(tasks, collection, rules))
    if not found:
        raise CollectionError(
            f"{collection.name}: there is nothing for a probe to tell; name a column of classes "
            "(--classes), or labels (--labels)"
        )
    return found


def _questions(tasks: Sequence[Task], collection: Collection, rules: Rules) -> list[Question]:
    found = []
    for task in tasks:
        targets = of_task(task, collection, rules)
        if targets is None:
            continue
        if task.within:
            raise CollectionError(
                f"{task.name}: a probe learns from all values of {task.within} at once; evaluate "
                "them apart (--where), or without keeping them apart (--within)"
            )
        parts = parts_of(collection, targets, may_share=rules.apart != "patient")
        _refuse_untellable(task.name, targets, parts)
        apart = rules.kept_apart(collection)
        found.append(Question(task.name, targets, parts, collection.patient_codes(), apart))
    return found


def _refuse_untellable(task: str, targets: Targets, parts: Parts) -> None:
    """As `classified` does, but before hours of embedding."""
    positive = targets.positive & targets.known
    if not (positive[parts.training].any(axis=0) & positive[parts.test].any(axis=0)).any():
        raise CollectionError(f"{task}: no class has a positive image in both training and test")


def probed(
    system: System,
    question: Question,
    kind: Kind,
    seed: int = 0,
    progress: Progress = quiet,
    *,
    draws: int = DRAWS,
) -> Probed:
    """Probe a system, by the careful ways.

    The k of the nearest is chosen by F1 of classes and by AUPRC of labels: these are rare, and few
    votes of many pass one half.

    Args:
        system: its vectors stand in the collection's order.
        question: of the same collection.
        kind: of the probe.
        seed: of the intervals.
        progress: is told of k, or of labels.
        draws: of patients, for the intervals.

    Raises:
        CollectionError: no class can be judged.
        VectorsError: a vector is not finite or has no direction.
    """
    by: Literal["f1", "auprc"] = "f1" if question.targets.one_each else "auprc"
    ways = Ways(k_by=by, seed=seed, draws=draws)
    given = (system, question.targets, question.parts, question.patients, ways, progress)
    found = knn_probe(*given, apart=question.apart) if kind == "knn" else linear_probe(*given)
    parts = question.parts
    counts = (len(parts.training), len(parts.validation), len(parts.test))
    return Probed(question.task, kind, *counts, found)

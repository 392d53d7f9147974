"""The loop: what comes of a run that was stopped, is damaged, goes wrong, or is done."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from encoders.training.fault import TrainingError
from encoders.training.learner import MONITORED, NotFiniteError
from encoders.training.loop import Progress, Run, enough, quiet
from encoders.training.recipe import Recipe, Schedule
from encoders.training.training import Trained, Wanted, stamp_of, train
from tests.encoders.training.small import examples, read, recipe

EPOCHS, STEPS = 4, 4
"""Of the small recipe: 24 patients of two images each, of whom 16 are learned, in batches of 8."""


class Stopped(BaseException):
    """As an interruption is: no ``Exception``."""


def wanted(folder: Path, asked: Recipe, progress: Progress = quiet, seed: int = 3) -> Wanted:
    made = Wanted(Run(folder, {}, seed, device="cpu", progress=progress))
    stamp = stamp_of(asked, examples(), made)
    return replace(made, run=replace(made.run, stamp=stamp))


def run(folder: Path, asked: Recipe, progress: Progress = quiet, seed: int = 3) -> Trained:
    return train(asked, examples(), read, wanted(folder, asked, progress, seed))


def weights(trained: Trained) -> dict[str, Tensor]:
    return {**trained.network.body.state_dict(), **trained.head.state_dict()}


def same(one: Trained, other: Trained) -> bool:
    return all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(one).items())


def stop_at(step: int) -> Callable[[int, int, str], None]:
    def tell(done: int, _of: int, _figures: str) -> None:
        if done == step:
            raise Stopped

    return tell


def test_a_small_network_learns(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    trained = run(tmp_path, recipe(), lambda done, of, _: told.append((done, of)))
    assert trained.ended is not None
    history = trained.ended.history
    assert len(history) == EPOCHS
    assert history[-1]["train loss"] < history[0]["train loss"]
    assert history[-1]["val auc"] == 1.0
    assert told == [(at + 1, EPOCHS * STEPS) for at in range(EPOCHS * STEPS)]


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 2, 3 * STEPS - 1, EPOCHS * STEPS])
def test_an_interrupted_run_comes_to_the_same_network(tmp_path: Path, step: int) -> None:
    asked = recipe(schedule={"monitor": "loss"})  # which falls to the last epoch
    whole = run(tmp_path / "whole", asked)
    with pytest.raises((Stopped, SystemExit)):
        run(tmp_path / "broken", asked, stop_at(step))
    again = run(tmp_path / "broken", asked)
    assert again.ended is not None
    assert again.ended.epoch == EPOCHS
    assert same(whole, again)
    assert whole.ended == again.ended


def test_another_seed_is_another_network(tmp_path: Path) -> None:
    assert not same(run(tmp_path / "3", recipe()), run(tmp_path / "4", recipe(), seed=4))


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = run(tmp_path, recipe())

    def never(_done: int, _of: int, _figures: str) -> None:
        raise AssertionError("a step was made")

    assert same(first, run(tmp_path, recipe(), never))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    run(tmp_path, recipe())
    other = recipe(optimiser={"rate": 0.02})
    with pytest.raises(
        TrainingError, match=r"another run \(recipe small .* instead of small .*--o"
    ):
        run(tmp_path, other)


def test_a_checkpoint_of_other_images_is_refused(tmp_path: Path) -> None:
    run(tmp_path, recipe())
    asked = wanted(tmp_path, recipe())
    fewer = examples(40)
    stamp = stamp_of(recipe(), fewer, asked)
    with pytest.raises(TrainingError, match=r"another run .images"):
        train(recipe(), fewer, read, replace(asked, run=replace(asked.run, stamp=stamp)))


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_told(tmp_path: Path, damage: bytes | None) -> None:
    run(tmp_path, recipe())
    path = tmp_path / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000] if damage is None else damage)
    with pytest.raises(TrainingError, match=r"cannot be read .*--again"):
        run(tmp_path, recipe())


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(tmp_path / "good", recipe(schedule={"epochs": 2}))

    def poisoned(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        calls.append(outputs.requires_grad)
        value = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return value * float("nan") if sum(calls) > 2 * STEPS + 1 else value

    calls: list[bool] = []
    monkeypatch.setattr("encoders.training.training.loss_of", lambda *_: poisoned)
    trained = run(tmp_path / "bad", recipe())
    assert trained.ended is not None
    assert "the loss is nan in epoch 3, batch 2" in trained.ended.fault
    assert len(trained.ended.history) == 2
    assert same(trained, good)


def test_a_loss_that_never_was_a_number_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match="epoch 1"):
        run(tmp_path, recipe(optimiser={"name": "sgd", "rate": 1e38}))


def test_it_ends_where_no_epoch_was_better(tmp_path: Path) -> None:
    # a rate of nothing to speak of: no epoch is better than the first
    slow = recipe(optimiser={"rate": 1e-30}, schedule={"epochs": 9, "patience": 2})
    ended = run(tmp_path, slow).ended
    assert ended is not None
    assert (ended.epoch, len(ended.history), ended.why) == (1, 3, "no better epoch for 2")


def test_without_validation_images_the_last_epoch_is_kept(tmp_path: Path) -> None:
    ended = run(tmp_path, recipe(schedule={"parts": (0.8, 0.0, 0.2)})).ended
    assert ended is not None
    assert ended.epoch == EPOCHS


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], False),
        ([0.5], False),
        ([0.5, 0.4], False),
        ([0.5, 0.4, 0.5], True),  # as good is not better
        ([0.5, 0.4, 0.6], False),
        ([0.5, 0.6, 0.7, 0.8, 0.9], True),  # all epochs done
        ([float("-inf"), float("-inf"), float("-inf")], True),
    ],
)
def test_enough(told: list[float], expected: bool) -> None:
    schedule = Schedule(epochs=5, monitor="auc", patience=2)
    assert enough(tuple({MONITORED: one} for one in told), schedule) is expected

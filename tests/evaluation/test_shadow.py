"""Shadow mode on archives whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.collection import Collection, CollectionError
from evaluation.shadow import abstentions, drifts, shadow
from storage.vectors.metric import Metric


def archive(count: int, **attributes: list[str]) -> Collection:
    given = {"modality": ["CT"] * count} | attributes
    return Collection(
        "archive",
        tuple(f"i{at}" for at in range(count)),
        tuple(f"p{at}" for at in range(count)),
        (),
        np.zeros((count, 0), np.int8),
        {name: np.array(column) for name, column in given.items()},
        studies=tuple(f"s{at // 2}" for at in range(count)),
    )


def on_a_circle(degrees: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 1).astype(
        np.float32
    )


def test_who_is_far_from_everybody_gets_no_answer() -> None:
    """200 images within ten degrees, two of one study at the other side of the circle."""
    degrees = np.concatenate([np.linspace(0, 10, 200), [180, 181]])
    made = archive(202, source=["A"] * 200 + ["B"] * 2)
    found = {
        (one.attribute, one.value): one
        for one in abstentions(made, on_a_circle(degrees), Metric.COSINE, 20.0)
    }
    whole = found["", ""]
    assert (whole.studies, whole.alone) == (101, 0)
    # the two are each other's neighbours, and of other patients: their hit is the best there is
    assert whole.abstained == 0
    assert whole.median > 95
    apart = np.concatenate([np.linspace(0, 10, 200), [180, 270]])
    again = next(iter(abstentions(made, on_a_circle(apart), Metric.COSINE, 20.0)))
    assert again.abstained == pytest.approx(1 / 101)


def test_modalities_do_not_compare() -> None:
    made = archive(4, modality=["CT", "CT", "MR", "US"])
    found = next(iter(abstentions(made, on_a_circle(np.arange(4.0)), Metric.COSINE, 0)))
    # too few pairs for a percentile: nobody has one
    assert (found.studies, found.alone) == (0, 2)
    assert np.isnan(found.abstained)


def test_a_new_scanner_is_told() -> None:
    random = np.random.default_rng(0)
    degrees = np.concatenate([random.uniform(0, 30, 300), random.uniform(90, 120, 60)])
    made = archive(360, source=["old"] * 300 + ["new"] * 60)
    found = {
        (one.attribute, one.value): one
        for one in drifts(made, on_a_circle(degrees), Metric.COSINE, np.arange(360) >= 300)
    }
    assert found["", ""].p < 1e-6
    assert found["", ""].similarity_new < 0.6
    assert found["", ""].similarity_old > 0.99
    assert found["source", "new"].unseen
    assert not found["source", "old"].unseen
    assert np.isnan(found["source", "new"].p)


def test_more_of_the_same_is_no_drift() -> None:
    random = np.random.default_rng(1)
    made = archive(400)
    told = next(
        iter(
            drifts(
                made, on_a_circle(random.uniform(0, 90, 400)), Metric.COSINE, np.arange(400) >= 300
            )
        )
    )
    assert told.p > 0.01
    assert (told.new, told.old) == (100, 300)


@pytest.mark.parametrize("new", [True, False])
def test_something_is_new_and_something_is_not(new: bool) -> None:
    with pytest.raises(CollectionError, match="images of archive are new"):
        next(iter(drifts(archive(4), on_a_circle(np.arange(4.0)), Metric.COSINE, np.full(4, new))))


def test_what_is_not_told() -> None:
    bare = Collection("bare", ("a",), ("p",), (), np.zeros((1, 0), np.int8), studies=("s",))
    with pytest.raises(CollectionError, match="does not tell modalities"):
        next(iter(abstentions(bare, np.ones((1, 2), np.float32), Metric.COSINE, 20)))


def test_of_an_archive_that_was_filled_in_one_go_no_drift_is_told() -> None:
    made = replace(archive(40), numbers={"received": np.full(40, 1000.0)})
    found = shadow(made, on_a_circle(np.arange(40.0)), Metric.COSINE, 20.0)
    assert found.abstentions
    assert not found.drifts
    assert np.isnan(found.since)
    with pytest.raises(CollectionError, match="all of the images of archive are new"):
        shadow(made, on_a_circle(np.arange(40.0)), Metric.COSINE, 20.0, 1000.0)

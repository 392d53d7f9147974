"""What is told of a changeover: reasons counted, nodes that are there, how far it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.changeover.progress import (
    MOST_REASONS,
    OTHER_REASONS,
    ChangeoverProgress,
    Lack,
    NodeProgress,
    Reasons,
)
from dicom_node.changeover.telling import lacking_text, progress_text

LONG_AGO = timedelta(minutes=6)

Said = Callable[[], NodeProgress]


def _said(ago: timedelta = timedelta(0), **also: object) -> Said:
    """Said when the test runs: parameters are made when all tests are gathered, minutes before."""
    return lambda: replace(NodeProgress((datetime.now(UTC) - ago).isoformat()), **also)  # type: ignore[arg-type]


def test_reasons_are_counted_the_commonest_first() -> None:
    reasons = Reasons()
    for uid in ("1", "2", "3"):
        reasons.add("gone", uid)
    reasons.add("broken", "4")
    assert reasons.told() == (Lack("gone", 3, "1"), Lack("broken", 1, "4"))
    reasons.clear()
    assert reasons.told() == ()


def test_very_many_reasons_are_told_as_one() -> None:
    reasons = Reasons()
    for number in range(MOST_REASONS + 5):
        reasons.add(f"reason {number}", str(number))
    assert len(reasons.told()) == MOST_REASONS + 1
    assert reasons.told()[0] == Lack(OTHER_REASONS, 5, str(MOST_REASONS))


@pytest.mark.parametrize(
    ("said", "busy", "stuck"),
    [
        (_said(), True, False),
        (_said(at_end=True), False, True),
        (_said(fault="no weights"), False, True),
        (_said(LONG_AGO), False, False),
    ],
)
def test_who_is_at_it_and_whether_anybody_can_do_more(said: Said, busy: bool, stuck: bool) -> None:
    progress = ChangeoverProgress(nodes={"a": said()})
    assert progress.busy(besides="b") == ({"a"} if busy else set())
    assert progress.busy(besides="a") == set()
    assert progress.is_stuck is stuck


@pytest.mark.parametrize(
    ("progress", "said", "expected"),
    [
        (ChangeoverProgress(), None, "no node has begun yet: it is done by `likeness serve`"),
        (ChangeoverProgress(images=0), None, "0 of 0 images (0%)"),
        (
            ChangeoverProgress(images=100, missing=60),
            _said(per_s=0.5),
            "40 of 100 images (40%), 0.5 a second, 0:02:00 left",
        ),
        (
            ChangeoverProgress(images=100, missing=60),
            _said(LONG_AGO, per_s=0.5),
            "40 of 100 images (40%)",
        ),
        (
            ChangeoverProgress(images=9, switch=False),
            _said(at_end=True),
            "9 of 9 images (100%), complete: `likeness encoders use` takes it into use",
        ),
    ],
)
def test_how_far_it_is_in_words(
    progress: ChangeoverProgress, said: Said | None, expected: str
) -> None:
    nodes = {} if said is None else {"a": said()}
    assert progress_text(replace(progress, nodes=nodes)) == expected


def test_what_is_lacking_in_words() -> None:
    said = _said(fault="no weights", lacking=(Lack("gone", 3, "1.2"),))
    assert lacking_text(ChangeoverProgress(nodes={"2.25.1": said()})) == [
        "node 2.25.1: no weights",
        "3 not embedded: gone (such as 1.2)",
    ]

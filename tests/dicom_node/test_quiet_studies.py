"""When a study is quiet, by a clock that never goes back, beside one that does."""

from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.quiet_studies import QuietStudies

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quiet(clock: Clock) -> QuietStudies:
    return QuietStudies(30.0, clock)


def test_a_study_is_due_when_nothing_came_for_so_long(quiet: QuietStudies, clock: Clock) -> None:
    quiet.look({"1.2": NOON})
    clock.now += 29.9
    quiet.look({"1.2": NOON})
    assert quiet.due(set()) == {}
    clock.now += 0.2
    assert quiet.due(set()) == {"1.2": NOON}


@pytest.mark.parametrize("step", [timedelta(seconds=1), timedelta(days=-400)])
def test_each_instance_restarts_the_timer_also_under_a_clock_stepped_back(
    quiet: QuietStudies, clock: Clock, step: timedelta
) -> None:
    quiet.look({"1.2": NOON})
    clock.now += 20
    quiet.look({"1.2": NOON + step})
    clock.now += 20
    quiet.look({"1.2": NOON + step})
    assert quiet.due(set()) == {}
    clock.now += 11
    assert quiet.due(set()) == {"1.2": NOON + step}


def test_what_an_association_carries_is_due_when_it_ends(quiet: QuietStudies, clock: Clock) -> None:
    quiet.look({"1.2": NOON, "1.3": NOON})
    clock.now += 31
    assert quiet.due({"1.2"}) == {"1.3": NOON}
    assert quiet.due(set()) == {"1.2": NOON, "1.3": NOON}


def test_a_study_that_closed_is_forgotten(quiet: QuietStudies, clock: Clock) -> None:
    """Opened again with the same time, it counts anew."""
    quiet.look({"1.2": NOON})
    clock.now += 31
    quiet.look({})
    quiet.look({"1.2": NOON})
    assert quiet.due(set()) == {}


def test_the_wait_is_until_the_first_that_nobody_carries(quiet: QuietStudies, clock: Clock) -> None:
    assert quiet.next_due_s(set()) is None
    quiet.look({"1.2": NOON})
    clock.now += 10
    quiet.look({"1.2": NOON, "1.3": NOON})
    assert quiet.next_due_s(set()) == pytest.approx(20)
    assert quiet.next_due_s({"1.2"}) == pytest.approx(30)
    assert quiet.next_due_s({"1.2", "1.3"}) is None

"""What stands between two stages: order, bounds, waiting for more, and the end."""

import threading
from collections.abc import Callable
from time import monotonic

import pytest

from dicom_node.faults import fault_of, together
from dicom_node.lines import Line
from tests.waiting import wait_until


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_items_come_out_in_their_order_and_as_many_as_asked_for() -> None:
    line: Line[int] = Line()
    for number in range(5):
        line.put(number)
    assert [list(line.take(2)), list(line.take(2)), list(line.take(2))] == [[0, 1], [2, 3], [4]]


def test_whoever_puts_too_many_waits() -> None:
    line: Line[int] = Line(2)
    put: list[int] = []

    def fill() -> None:
        for number in range(4):
            line.put(number)
            put.append(number)

    thread = in_thread(fill)
    wait_until(lambda: len(put) == 2, "two to be put")
    assert list(line.take(1)) == [0]
    wait_until(lambda: len(put) == 3, "a third to be put")
    assert list(line.take(9)) == [1, 2]
    thread.join()
    assert list(line.take(9)) == [3]


def test_one_that_is_expected_is_waited_for() -> None:
    line: Line[int] = Line()
    line.expect(2)
    line.put(1)
    thread = in_thread(lambda: line.put(2))
    assert list(line.take(9, for_more_s=60)) == [1, 2]
    thread.join()


def _forgo(line: Line[int], count: int) -> None:
    for _ in range(count):
        line.forgo()


@pytest.mark.parametrize("end", ["forgone", "enough", "full", "nothing expected"])
def test_nobody_waits_for_what_does_not_come(end: str) -> None:
    line: Line[int] = Line(2 if end == "full" else None)
    line.expect(1 if end == "nothing expected" else 4)
    line.put(1)
    thread = None
    if end == "forgone":
        thread = in_thread(lambda: _forgo(line, 3))
    elif end != "nothing expected":
        line.put(2)
    began = monotonic()
    assert list(line.take(2 if end == "enough" else 9, for_more_s=60))[:1] == [1]
    assert monotonic() - began < 30
    if thread is not None:
        thread.join()


def test_the_wait_for_more_is_bounded() -> None:
    line: Line[int] = Line()
    line.expect(2)
    line.put(1)
    assert list(line.take(9, for_more_s=0.01)) == [1]


def test_the_wait_for_the_first_is_bounded_where_that_is_asked_for() -> None:
    line: Line[int] = Line()
    assert list(line.take(first_s=0.01)) == []
    assert not line.is_closed


def test_closing_ends_all_waits() -> None:
    full: Line[int] = Line(1)
    empty: Line[int] = Line()
    full.put(1)
    taken: list[object] = []
    threads = [in_thread(lambda: full.put(2)), in_thread(lambda: taken.append(empty.take()))]
    full.close()
    empty.close()
    for thread in threads:
        thread.join()
    assert taken == [[]]
    assert list(full.take()) == []


def test_a_fault_is_a_value() -> None:
    assert isinstance(fault_of(lambda: 1 // 0), ZeroDivisionError)
    assert fault_of(lambda: 1) is None


def _work(done: list[list[int]]) -> Callable[[object], None]:
    def work(items: object) -> None:
        assert isinstance(items, list)
        done.append(items)
        if 3 in items:
            raise ValueError("three")

    return work


@pytest.mark.parametrize(
    ("items", "tries", "guilty"),
    [
        ([], [], []),
        ([1, 2], [[1, 2]], []),
        ([3], [[3]], [3]),
        ([1, 3, 4], [[1, 3, 4], [1], [3], [4]], [3]),
    ],
)
def test_what_fails_together_is_tried_one_by_one(
    items: list[int], tries: list[list[int]], guilty: list[int]
) -> None:
    done: list[list[int]] = []
    blamed: list[int] = []
    together(_work(done), items, lambda _, item: blamed.append(item))
    assert (done, blamed) == (tries, guilty)


def test_a_fault_that_is_nobodys_is_met_once() -> None:
    done: list[list[int]] = []
    blamed: list[int] = []
    together(_work(done), [1, 3, 4], lambda _, item: blamed.append(item), stops=lambda _: True)
    assert (done, blamed) == ([[1, 3, 4]], [1])

"""What stands between two stages of the worker: items on their way from threads to threads."""

import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Line(Generic[Item]):
    """First in, first out, for any number of threads at both ends.

    Args:
        most: items that wait at once; whoever puts another one waits, too. None for any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._expected = 0
        self._closed = False
        self._changed = threading.Condition()

    def expect(self, count: int) -> None:
        """So many items more will be put, or forgone: ``take`` may wait for them."""
        with self._changed:
            self._expected += count

    def put(self, item: Item) -> None:
        """Adds an item as soon as there is room; one of those expected, if any are."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._is_full)
            self._items.append(item)
            self._expected = max(0, self._expected - 1)
            self._changed.notify_all()

    def forgo(self) -> None:
        """One of the expected items does not come."""
        with self._changed:
            self._expected -= 1
            self._changed.notify_all()

    def take(
        self, most: int = 1, *, for_more_s: float = 0.0, first_s: float | None = None
    ) -> Sequence[Item]:
        """Takes up to ``most`` items; none once the line is closed.

        Args:
            most: at least 1.
            for_more_s: how long to wait, once there is an item, for others that are expected.
            first_s: how long to wait for the first, then none is taken; None waits for ever.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._items, first_s)
            if self._items:
                self._wait_for_more(most, monotonic() + for_more_s)
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._changed.notify_all()
            return [] if self._closed else taken

    def close(self) -> None:
        """Ends all waiting: nothing is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def _is_full(self) -> bool:
        return self._most is not None and len(self._items) >= self._most

    def _wait_for_more(self, most: int, until: float) -> None:
        """Waiting for what is not expected would only hold up a lone study."""
        self._changed.wait_for(
            lambda: self._closed or not self._expected or len(self._items) >= most or self._is_full,
            max(0.0, until - monotonic()),
        )

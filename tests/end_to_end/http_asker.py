"""Somebody who asks a node over HTTP all the while, and remembers every answer."""

import itertools
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 60.0
OTHER_THAN_ANSWERS = ("/studies/{}/image.png", "/ui/studies/{}", "/studies/{}")


@dataclass
class HttpAsker:
    """Asks which studies are like each of ``uids`` in turn, between ``__enter__`` and ``__exit__``.

    Every fifth request is for something else that is shown of a study.

    Attributes:
        answers: what was answered, by the contract of ``GET /studies/{uid}/similar``.
        failures: requests that were not answered with 200, and what was said instead.
    """

    port: int
    secret: str
    uids: Sequence[str]
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._ask_on)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing is asked while the block runs: the node is away."""
        with self._asking:
            yield

    def _ask_on(self) -> None:
        for number, uid in enumerate(itertools.cycle(self.uids)):
            if self._stop.is_set():
                return
            path = f"/studies/{uid}/similar"
            if number % 5 == 4:
                path = OTHER_THAN_ANSWERS[number // 5 % len(OTHER_THAN_ANSWERS)].format(uid)
            with self._asking:
                self._ask(path)

    def _ask(self, path: str) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.secret}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as fault:
            self.failures.append(f"{path}: {fault!r}")
            return
        finally:
            connection.close()
        if response.status != 200:
            self.failures.append(f"{path}: {response.status} {body[:300]!r}")
        elif path.endswith("/similar"):
            self.answers.append(json.loads(body))

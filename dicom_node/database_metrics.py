"""The figures that the database holds, asked for at each scrape."""

import logging
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from dicom_node.index_progress import rebuilding
from storage import figures, spaces
from storage.outages import first_line
from storage.queue import JOBS, SENDS, Queue
from storage.tables import STUDY_STATES

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 5.0
"""For an answer of the database; Prometheus waits 10 s for all of a scrape."""

WAITING_STATES = ("queued", "running", "failed")
SEND_OUTCOMES = ("done", "failed")
BOUNDS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400)


class DatabaseMetrics:
    """Asks the database; while it is away, that is all that is told.

    A thread of its own asks, so that a scrape can go on without a server that hangs, and so that
    only one moves the watermark; scrapes that meet share an answer. Times to searchable are those
    of studies embedded after the first look.
    """

    def __init__(self, looking: Engine, *, node: str) -> None:
        self._looking = looking
        self._node = node
        self._watermark: int | None = None
        self._searchable = Times()
        self._sends = RisingCounts(SEND_OUTCOMES)
        self._asker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="figures")
        self._submitting = threading.Lock()
        self._answer: Future[list[Metric]] | None = None

    def collect(self) -> list[Metric]:
        """The metrics, as ``CollectorRegistry`` asks for them."""
        with self._submitting:
            if self._answer is None or self._answer.done():
                self._answer = self._asker.submit(self._ask)
            answer = self._answer
        try:
            return answer.result(LONGEST_WAIT_S)
        except TimeoutError:
            return [_up(False)]

    def _ask(self) -> list[Metric]:
        try:
            with self._looking.connect() as connection:
                return [_up(True), *self._told(connection)]
        except DBAPIError:  # those who work with the database say why
            return [_up(False)]

    def _told(self, connection: Connection) -> Iterator[Metric]:
        try:
            yield from self._figures(connection)
        except DBAPIError as fault:
            log.warning("some figures are not told: %s", first_line(fault))

    def _figures(self, connection: Connection) -> Iterator[Metric]:
        studies = figures.studies_by_state(connection, node=self._node)
        yield _gauge(
            "likeness_studies",
            "Studies that this node received, by where they stand.",
            ("state",),
            {(state,): studies.get(state, 0) for state in sorted({*STUDY_STATES, *studies})},
        )
        yield _gauge(
            "likeness_embeddings",
            "Live vectors in each space, of all nodes on this database.",
            ("space",),
            {(space,): n for space, n in figures.embeddings_by_space(connection).items()},
        )
        yield GaugeMetricFamily(
            "likeness_index_ratio",
            "How much of this node's index is rebuilt; 1 unless it is being rebuilt.",
            self._index_ratio(connection),
        )
        yield from self._queues(connection)
        yield self._time_to_searchable(connection)

    def _index_ratio(self, connection: Connection) -> float:
        known = spaces.known_in_use(connection)
        told = {} if known is None else rebuilding(known)
        return told[self._node].share if self._node in told else 1.0

    def _queues(self, connection: Connection) -> Iterator[Metric]:
        queues = (JOBS, SENDS)
        by_state = {
            queue.topic: figures.queue_by_state(connection, queue, node=self._node)
            for queue in queues
        }
        yield _gauge(
            "likeness_queue_depth",
            "Work and sends that wait, are at hand, or were given up.",
            ("queue", "state"),
            {
                (queue, state): counts.get(state, 0)
                for queue, counts in by_state.items()
                for state in WAITING_STATES
            },
        )
        yield _gauge(
            "likeness_queue_oldest_seconds",
            "How long the oldest row that is due has waited.",
            ("queue",),
            {(queue.topic,): self._oldest_due_s(connection, queue) for queue in queues},
        )
        self._sends.see(by_state[SENDS.topic])
        yield self._sends.family(
            "likeness_sends_total", "Reports sent, and sends given up, by the database."
        )

    def _oldest_due_s(self, connection: Connection, queue: Queue) -> float:
        return figures.oldest_due_s(connection, queue, node=self._node)

    def _time_to_searchable(self, connection: Connection) -> Metric:
        if self._watermark is None:
            self._watermark = figures.newest_change(connection)
        made = figures.made_searchable(connection, node=self._node, after=self._watermark)
        self._searchable.observe(made.seconds)
        self._watermark = made.watermark
        return self._searchable.family(
            "likeness_time_to_searchable_seconds",
            "From the last instance of a study received to its vectors in the database.",
        )


class Times:
    """A histogram of seconds, with the bounds ``BOUNDS_S``."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum = 0.0

    def observe(self, seconds: Iterable[float]) -> None:
        """Counts each in the first bucket whose bound it does not exceed."""
        for time_s in seconds:
            self._counts[bisect_left(BOUNDS_S, time_s)] += 1
            self._sum += time_s

    def family(self, name: str, help_text: str) -> Metric:
        """The histogram as Prometheus wants it: each bucket counts those below it too."""
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        return HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=self._sum)


class RisingCounts:
    """Counters made of numbers of rows, which may fall: a send that is retried is failed no more.

    A counter that falls means to Prometheus that the process began anew, and that everything in
    it was counted since.
    """

    def __init__(self, outcomes: Iterable[str]) -> None:
        self._seen = dict.fromkeys(outcomes, 0)
        self._total = dict(self._seen)

    def see(self, rows: Mapping[str, int]) -> None:
        """Adds what came to each outcome since the last look."""
        for outcome, before in self._seen.items():
            now = rows.get(outcome, 0)
            self._total[outcome] += max(0, now - before)
            self._seen[outcome] = now

    def family(self, name: str, help_text: str) -> Metric:
        """The counters as Prometheus wants them."""
        family = CounterMetricFamily(name, help_text, labels=["outcome"])
        for outcome, count in self._total.items():
            family.add_metric([outcome], count)
        return family


def _up(is_up: bool) -> Metric:
    return GaugeMetricFamily("likeness_database_up", "1 if the database answers.", float(is_up))


def _gauge(
    name: str, help_text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family

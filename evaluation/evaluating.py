"""The main path of an evaluation: a system is asked, its answers are judged, figures come of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Codes, Collection, CollectionError, Positions
from evaluation.confounders import Confounder, Judged, confounders
from evaluation.figures import Figure, figure
from evaluation.followed import followed
from evaluation.measures import answers
from evaluation.nearest import Neighbourhood, Run, Vectors
from evaluation.scores import Scores, scored, together
from evaluation.tasks import Part, Rules, Task
from storage.vectors.metric import Metric


@dataclass(frozen=True)
class System:
    """Something that is evaluated: an encoder's vectors of the collection's images.

    Attributes:
        name: for the tables.
        vectors: one for each image of the collection.
        metric: by which they are compared.
        space: the id of the vector space, where there is one.
        asking: of each image when it asks, where that is another vector than it answers by.
    """

    name: str
    vectors: Vectors
    metric: Metric = Metric.COSINE
    space: str = ""
    asking: Vectors | None = None

    def must_have_one_vector(self, what: str) -> None:
        """To be called by what has no place for images that ask by other vectors.

        Args:
            what: is to be done with the vectors, as a noun.

        Raises:
            CollectionError: images ask by others than they answer by.
        """
        if self.asking is not None:
            raise no_one_vector(self.name, what)


def no_one_vector(name: str, what: str) -> CollectionError:
    """That a system of folds cannot be asked for what needs one vector of each image."""
    return CollectionError(
        f"{name}: {what} needs one vector of each image, and images of folds ask by others than "
        "they answer by; give one fold's encoder, folder:FOLDER/fold-0"
    )


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        part: the relevance rule.
        group: the class or stratum, such as ``view = AP``; empty for the whole.
        figure: the number.
    """

    part: str
    group: str
    figure: Figure


def of_the_whole(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Those over all queries, of no class or stratum alone."""
    return tuple(row for row in rows if not row.group)


@dataclass(frozen=True)
class Judgement:
    """One system on one task.

    Attributes:
        system: its name.
        task: its name.
        rows: the table: whole, classes, strata.
        confounders: how much each attribute explains.
        run: the answers, for pictures and for comparing systems.
        scores: of each part and measure, by ``PART: MEASURE``.
    """

    system: str
    task: str
    rows: tuple[Row, ...]
    confounders: tuple[Confounder, ...]
    run: Run
    scores: dict[str, Scores]


def judge(
    system: System,
    task: Task,
    collection: Collection,
    rules: Rules,
    strata: Sequence[str] = (),
) -> Judgement:
    """Ask a system all questions of a task and score its answers.

    Args:
        system: its vectors stand in the collection's order.
        task: made of the same collection.
        collection: the images.
        rules: who may ask and answer.
        strata: attributes that are confounders perhaps, and within whose values it is scored too.

    Raises:
        CollectionError: as many vectors as images are needed; nobody may ask, or answer.
        VectorsError: a vector is not finite or has no direction.
    """
    if len(system.vectors) != len(collection):
        counts = f"{len(system.vectors)} vectors for {len(collection)} images"
        raise CollectionError(f"{system.name}: {counts} of {collection.name}")
    queries = task.members[rules.asking(collection)[task.members]]
    index = task.members[rules.answering(collection)[task.members]]
    if not len(queries) or not len(index):
        lacking = "ask" if not len(queries) else "answer"
        raise CollectionError(f"{task.name}: no image of these splits may {lacking}")
    asked = _Asked(
        Neighbourhood(
            system.vectors, system.metric, queries, index, system.asking, seed=rules.seed
        ),
        task,
        collection,
        rules,
        rules.kept_apart(collection),
    )
    scores = {key: value for part in task.parts for key, value in asked.scored(part)}
    rows = [*_rows(task, scores, rules.seed), *_rows_within(task, collection, scores, rules.seed)]
    found: tuple[Confounder, ...] = ()
    if strata:
        judged = Judged(asked.neighbourhood, asked.apart, collection, rules.seed)
        found = tuple(confounders(judged, task, strata))
        rows += [
            Row(one.part, f"{one.attribute} = {value}", within)
            for one in found
            for value, within in one.strata
        ]
    run = asked.run(np.ones(len(collection), bool))
    return Judgement(system.name, task.name, tuple(rows), found, run, scores)


@dataclass(frozen=True)
class _Asked:
    """A system's lists, and the rules by which answers are taken of them."""

    neighbourhood: Neighbourhood
    task: Task
    collection: Collection
    rules: Rules
    apart: Codes

    def run(self, known: NDArray[np.bool_]) -> Run:
        """The answers among the images that are known well enough."""
        return followed(
            self.neighbourhood,
            self.task.k,
            self.collection.patient_codes(),
            apart=self.apart,
            strata=self.strata(known),
        )

    def strata(self, known: NDArray[np.bool_]) -> Codes | None:
        """Who may answer whom."""
        return self.task.strata(self.collection, known)

    def index(self) -> Positions:
        return self.neighbourhood.index

    def scored(self, part: Part) -> Iterator[tuple[str, Scores]]:
        """Yield a part's scores by each of its measures."""
        given = answers(
            self.run(part.known),
            part.qrels,
            self.index(),
            apart=self.apart,
            strata=self.strata(part.known),
        )
        patients = self.collection.patient_codes()
        for one in part.measures:
            found = scored(one, given, patients, part.classes, part.class_names)
            yield f"{part.name}: {one.id}", found


def _rows(task: Task, scores: dict[str, Scores], seed: int) -> Iterator[Row]:
    if task.by_label:
        yield from _label_rows(task, scores, seed)
        return
    for part in task.parts:
        for one in part.measures:
            found = scores[f"{part.name}: {one.id}"]
            for mean in part.means:
                yield Row(part.name, "", figure(found, mean, seed=seed))
            for at, name in enumerate(part.class_names):
                some = found.of_class(at)
                if len(some.queries):
                    yield Row(part.name, name, figure(some, seed=seed))


def _rows_within(
    task: Task, collection: Collection, scores: dict[str, Scores], seed: int
) -> Iterator[Row]:
    """Yield a row for each value that is kept apart, and the mean over them."""
    if not task.within:
        return
    values, codes = np.unique(collection.attributes[task.within], return_inverse=True)
    for key, found in scores.items():
        by_value = replace(
            found, classes=codes[found.queries], class_names=tuple(str(value) for value in values)
        )
        part = key.rpartition(": ")[0]
        yield Row(part, f"mean over {task.within}", figure(by_value, "class_mean", seed=seed))
        for at, value in enumerate(by_value.class_names):
            some = by_value.of_class(at)
            if len(some.queries):
                yield Row(part, f"{task.within} = {value}", figure(some, seed=seed))


def _label_rows(task: Task, scores: dict[str, Scores], seed: int) -> Iterator[Row]:
    first = task.parts[0]
    names = [part.name for part in task.parts]
    for one in first.measures:
        whole = together([scores[f"{name}: {one.id}"] for name in names], names)
        for mean in first.means:
            yield Row("each label", "", figure(whole, mean, seed=seed))
        for at, name in enumerate(names):
            yield Row("each label", name, figure(whole.of_class(at), seed=seed))

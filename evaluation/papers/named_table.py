"""What a table of a paper is here: what it wants, how it is made, and what the paper prints."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from evaluation.ablation.curves import Ablation, Design
from evaluation.collection import Collection, CollectionError
from evaluation.evaluating import Row, System
from evaluation.figures import DRAWS, Figure
from evaluation.grades import Grades
from evaluation.systems.embedding import Progress, quiet
from evaluation.tasks import Rules


@dataclass(frozen=True)
class Printed:
    """A figure as a paper prints it.

    Attributes:
        system: the paper's name of it.
        measure: our id of the definition that it was computed with, as far as is known.
        value: printed.
        mean: micro, class_mean or class_inverse.
        setting: the data or the task, where a table has several.
        group: the class or finding; empty for the whole.
        where: the table or section; and ``repository`` for figures that only the code's has.
    """

    system: str
    measure: str
    value: float
    mean: str = "micro"
    setting: str = ""
    group: str = ""
    where: str = ""


OF_ONE_VECTOR = "a paper's table"
"""What has no place for images that ask by other vectors than they answer by."""


@dataclass(frozen=True)
class Wants:
    """What a table needs of a collection.

    Attributes:
        readers: by whose format the paper's data are read.
        says: what is taken of them, in words.
        labels: that must be there.
        splits: that must be there, or are made where the terms say so.
        numbers: columns that must be there.
        any_label: whether labels are needed, of whatever names.
        grades: whether a reader's are needed.
    """

    readers: tuple[str, ...]
    says: str
    labels: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    any_label: bool = False
    grades: bool = False

    def lacking(self, collection: Collection) -> list[str]:
        """What a collection does not have, in words."""
        found = [
            ("labels", [one for one in self.labels if one not in collection.label_names]),
            ("splits", [one for one in self.splits if one not in collection.splits]),
            ("numbers", [one for one in self.numbers if one not in collection.numbers]),
        ]
        told = [f"the {what} {', '.join(some)}" for what, some in found if some]
        return told + ["labels of any name"] * (self.any_label and not collection.label_names)


@dataclass(frozen=True)
class Terms:
    """How a table is made where the paper leaves it open or is too generous.

    Attributes:
        as_printed: by the paper's own, looser rules as far as they are known; else ours: images of
            the query's patient never answer, uncertain labels are not known.
        make_splits: where the collection has none, patients are split .8, .1, .1 by lot.
        seed: of every draw.
        draws: of patients, for the intervals of probes, ablations and graded rankings.
        design: of an ablation.
        truth: readers' grades that are right.
        others: other readers' grades, ranked like systems.
        progress: is told how much of a system's work is done.
    """

    as_printed: bool = False
    make_splits: bool = False
    seed: int = 0
    draws: int = DRAWS
    design: Design = field(default_factory=Design)
    truth: Grades | None = None
    others: tuple[Grades, ...] = ()
    progress: Progress = quiet

    def rules(self, queries: tuple[str, ...] = (), index: tuple[str, ...] = ()) -> Rules:
        """Ours, or as loose as the papers': only the query's own image does not answer."""
        apart = "image" if self.as_printed else "patient"
        return Rules(apart, queries, index, "ignore", self.seed)

    def graded(self) -> Grades:
        """The grades that are right.

        Raises:
            CollectionError: there are none.
        """
        if self.truth is None:
            raise CollectionError(
                "a reader's grades are needed (--grades): a CSV file with query, image, and grade "
                "or rank"
            )
        return self.truth


@dataclass(frozen=True)
class Line:
    """One figure of ours, with the paper's beside it.

    Attributes:
        system: ours.
        setting: as in `Printed`.
        group: as there.
        figure: with chance and interval.
        printed: what the paper prints for the same setting, group, measure and mean.
    """

    system: str
    setting: str
    group: str
    figure: Figure
    printed: tuple[Printed, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a table's making gives.

    Attributes:
        lines: the figures.
        told: what was done, and what was left out, in sentences.
        ablations: curves to be drawn.
    """

    lines: tuple[Line, ...]
    told: tuple[str, ...]
    ablations: tuple[Ablation, ...] = ()


Make = Callable[[Collection, Sequence[System], Terms], Outcome]


@dataclass(frozen=True)
class NamedTable:
    """A table of a paper that an encoder and labels are enough for.

    Attributes:
        id: such as ``papers/2-table2``.
        title: in words.
        source: paper and table.
        wants: of the collection.
        notes: what the paper leaves open, and where it and its code disagree.
        printed: the paper's figures.
        make: makes ours.
    """

    id: str
    title: str
    source: str
    wants: Wants
    notes: tuple[str, ...]
    printed: tuple[Printed, ...]
    make: Make

    def run(
        self, collection: Collection, systems: Sequence[System], terms: Terms | None = None
    ) -> "MadeTable":
        """Our figures by the paper's protocol, beside the paper's.

        Args:
            collection: read from the user's copy of the paper's data, or another.
            systems: their vectors stand in the collection's order.
            terms: the careful ones where None.

        Raises:
            CollectionError: the collection lacks what the table needs; the message says what.
            VectorsError: a vector is not finite or has no direction.
        """
        terms = terms or Terms()
        self._check(collection, systems, terms)
        outcome = self.make(collection, systems, terms)
        lines = tuple(self._beside(line) for line in outcome.lines)
        rules = "as printed" if terms.as_printed else "ours"
        return MadeTable(self, collection.name, rules, lines, outcome.told, outcome.ablations)

    def must_be_made_of(self, collection: Collection, terms: Terms) -> None:
        """To be called before images are embedded, which may take hours.

        Raises:
            CollectionError: the collection or the terms lack what the table needs.
        """
        if self.wants.grades:
            terms.graded()
        lacking = self.wants.lacking(collection)
        if terms.make_splits and not collection.splits:
            lacking = [one for one in lacking if not one.startswith("the splits")]
        if lacking:
            raise CollectionError(
                f"{self.id} cannot be made of {collection.name}, which lacks "
                f"{' and '.join(lacking)}. It wants {self.wants.says} (readers: "
                f"{', '.join(self.wants.readers)})"
            )

    def _check(self, collection: Collection, systems: Sequence[System], terms: Terms) -> None:
        self.must_be_made_of(collection, terms)
        if not systems:
            raise CollectionError(f"{self.id} needs a system")
        for system in systems:
            system.must_have_one_vector(OF_ONE_VECTOR)
            if len(system.vectors) != len(collection):
                counts = f"{len(system.vectors)} vectors for {len(collection)} images"
                raise CollectionError(f"{system.name}: {counts} of {collection.name}")

    def _beside(self, line: Line) -> Line:
        cell = (line.setting, line.group, line.figure.measure, line.figure.mean)
        found = tuple(
            one for one in self.printed if (one.setting, one.group, one.measure, one.mean) == cell
        )
        return Line(line.system, line.setting, line.group, line.figure, found)


@dataclass(frozen=True)
class MadeTable:
    """A named table that was made.

    Attributes:
        table: which.
        collection: its name.
        rules: ``ours`` or ``as printed``.
        lines: the figures.
        told: what was done, and what was left out.
        ablations: curves to be drawn.
    """

    table: NamedTable
    collection: str
    rules: str
    lines: tuple[Line, ...]
    told: tuple[str, ...]
    ablations: tuple[Ablation, ...] = ()


def lines_of(system: str, setting: str, rows: Iterable[Row]) -> list[Line]:
    """Rows of a judgement or a probe as lines of a table."""
    return [Line(system, setting, row.group, row.figure) for row in rows]

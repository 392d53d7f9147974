"""``evaluate`` of a data set or of the archive: who is asked what, and one report of all of it."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dicom_node.settings import Settings
from dicom_node.verbs.bars import bar, onto
from dicom_node.verbs.evaluation_sources import ARCHIVE, read, systems
from dicom_node.verbs.speech import put, say
from evaluation import planning, text_table
from evaluation.ablation.asked import Ablated, by_measure, pools
from evaluation.ablation.curves import Ablation, Design, Pool, ablation
from evaluation.collection import POSITIVE, Collection
from evaluation.evaluating import Judgement, System, judge
from evaluation.planning import Wanted
from evaluation.probing.asked import Probed, Question, probed, questions
from evaluation.probing.splits import with_splits
from evaluation.report.compose import Evaluated, compose
from evaluation.report.document import Document
from evaluation.report.provenance import provenance
from evaluation.report.writing import REPORT, write
from evaluation.shadow import Shadow, shadow
from evaluation.tasks import Rules, Task


@dataclass(frozen=True)
class Asked:
    """What is asked of every system.

    Attributes:
        rules: of the game.
        tasks: of retrieval; none of an archive of which nothing is known.
        strata: what may explain the answers.
        questions: for probes; None where none are wanted.
        design: of the ablations.
        pools: that they draw from, by task; None where none are wanted.
    """

    rules: Rules
    tasks: tuple[Task, ...]
    strata: tuple[str, ...]
    questions: tuple[Question, ...] | None
    design: Design
    pools: tuple[tuple[str, Pool], ...] | None

    @property
    def of_one_vector(self) -> str:
        """What is wanted that folds cannot be asked for, as a noun; empty where nothing is."""
        if self.questions is not None:
            return "a probe"
        return "" if self.pools is None else "an ablation"


def run(chosen: argparse.Namespace, settings: Settings) -> int:
    """Evaluates, prints the tables, and writes the report.

    All that can be refused is refused before anything is embedded, which may take hours.
    """
    collection, given = read(chosen, settings, chosen.place)
    collection = _split(chosen, collection)
    asked = _asked(chosen, collection)
    found = _shadow(chosen, settings, collection, given[0]) if chosen.place == ARCHIVE else None
    who = given
    if asked.tasks:
        who = tuple(systems(chosen, settings, collection, given, asked.of_one_vector))
    evaluated = Evaluated(
        collection,
        asked.rules,
        asked.tasks,
        who,
        tuple(_judged(who, asked, collection)),
        asked.strata,
        _probed(chosen, who, asked),
        _ablated(who, asked),
        found,
    )
    made = provenance(_now(), shlex.join(["likeness", *sys.argv[1:]]), asked.rules.seed)
    with bar("pictures", "image") as shown:
        document = compose(evaluated, made, maps=not chosen.no_maps, progress=onto(shown))
    written = write(document, collection, chosen.output)
    if chosen.json:
        put((chosen.output / REPORT).read_text(encoding="utf-8"))
    else:
        put("\n".join(_told(document)))
    if not asked.tasks:
        say("nothing is known of the studies: `likeness labels import` brings labels")
    say(f"the report: {next(path for path in written if path.suffix == '.html')}")
    return 0


def _told(document: Document) -> Iterator[str]:
    """Yield the lines of all tables, an empty one behind each."""
    if document.shadow is not None:
        yield from text_table.shadowed(document.shadow)
        yield ""
    for task in document.tasks:
        yield from text_table.table(task, document.of_task(task))
        yield ""
    yield from text_table.probed(document.probes or ())
    yield from text_table.ablated(document.ablations or ())


def _split(chosen: argparse.Namespace, collection: Collection) -> Collection:
    """The collection with splits, where they may be made; that they were is noted."""
    made, how = with_splits(collection, make=chosen.make_splits, seed=chosen.seed)
    return made if made is collection else replace(made, notes=(*made.notes, how))


def _asked(chosen: argparse.Namespace, collection: Collection) -> Asked:
    rules, wanted, design = _rules(chosen, collection), _wanted(chosen), _design(chosen)
    nothing_known = not (
        (collection.states == POSITIVE).any() or wanted.classes or wanted.numbers or wanted.labels
    )
    unasked = chosen.place == ARCHIVE and nothing_known
    tasks = () if unasked else tuple(planning.planned(collection, wanted, rules))
    return Asked(
        rules,
        tasks,
        planning.strata(collection, wanted),
        questions(tasks, collection, rules) if chosen.probe else None,
        design,
        None if chosen.ablation is None else pools(tasks, collection, rules, design),
    )


def _rules(chosen: argparse.Namespace, collection: Collection) -> Rules:
    """The rules of the game.

    Raises:
        CollectionError: they need splits or studies that the collection does not tell.
    """
    rules = Rules(
        chosen.apart, tuple(chosen.queries), tuple(chosen.index), chosen.uncertain, chosen.seed
    )
    for needed in (rules.kept_apart, rules.asking, rules.answering):
        needed(collection)
    return rules


def _wanted(chosen: argparse.Namespace) -> Wanted:
    labels = chosen.labels is not None or chosen.label_set is not None
    return Wanted(
        classes=tuple(chosen.classes),
        within=chosen.within or "",
        labels=labels or None,
        labels_where=tuple(chosen.labels or ()),
        all_answer=chosen.all_answer,
        numbers=tuple(chosen.number),
        strata=None if chosen.strata is None else tuple(chosen.strata),
    )


def _design(chosen: argparse.Namespace) -> Design:
    """Paper 2's, but for what the user says; its seeds count from the user's.

    Raises:
        CollectionError: the sizes do not rise.
    """
    usual = Design()
    return Design(
        tuple(chosen.ablation or usual.sizes),
        chosen.ablation_queries or usual.queries,
        tuple(chosen.seed + one for one in usual.seeds),
    )


def _shadow(
    chosen: argparse.Namespace, settings: Settings, collection: Collection, system: System
) -> Shadow:
    """How the archive would have been answered about."""
    since = None if chosen.new_since is None else chosen.new_since.timestamp()
    level = settings.search.level
    return shadow(collection, system.vectors, system.metric, level, since, seed=chosen.seed)


def _judged(who: Sequence[System], asked: Asked, collection: Collection) -> Iterator[Judgement]:
    with bar("tasks", "task", len(who) * len(asked.tasks)) as shown:
        for system in who:
            for task in asked.tasks:
                shown.set_description(f"{system.name}: {task.name}")
                yield judge(system, task, collection, asked.rules, asked.strata)
                shown.update()


def _probed(
    chosen: argparse.Namespace, who: Sequence[System], asked: Asked
) -> tuple[Probed, ...] | None:
    if asked.questions is None:
        return None
    found = []
    for question in asked.questions:
        for kind in dict.fromkeys(chosen.probe):
            for system in who:
                with bar(f"{system.name}: {question.task}, {kind} probe", "step") as shown:
                    found.append(probed(system, question, kind, asked.rules.seed, onto(shown)))
    return tuple(found)


def _ablated(who: Sequence[System], asked: Asked) -> tuple[Ablated, ...] | None:
    if asked.pools is None:
        return None
    found: list[Ablated] = []
    for task, pool in asked.pools:
        curves: list[Ablation] = []
        for system in who:
            with bar(f"{system.name}: {task}, images of each class", "search") as shown:
                curves += ablation(system, pool, asked.design, onto(shown))
        found += by_measure(task, curves)
    return tuple(found)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

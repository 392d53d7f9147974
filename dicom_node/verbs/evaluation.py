"""The verb ``evaluate``: how good the answers are, with chance, intervals and confounders."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dicom_node.database import open_database
from dicom_node.making import encoder_options
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import put, say
from evaluation import papers, planning, readers, text_table
from evaluation.collection import Collection
from evaluation.evaluating import Judgement, System, judge
from evaluation.grades import read_grades
from evaluation.label_sets import LABEL_SETS, RULES, consolidated
from evaluation.papers.named_table import Terms
from evaluation.papers.rendering import markdown, text
from evaluation.planning import Wanted
from evaluation.readers.archive import read_archive
from evaluation.readers.options import options_of
from evaluation.readers.vectors import read_vectors
from evaluation.report.as_json import plain
from evaluation.report.compose import Evaluated, compose
from evaluation.report.provenance import provenance
from evaluation.report.writing import write
from evaluation.shadow import shadow
from evaluation.systems.embedding import Progress
from evaluation.systems.naming import system_of
from evaluation.tasks import Rules, Task
from storage.vectors.metric import Metric

REPORT = "report.json"
ARCHIVE, TABLES = "archive", "papers/"


def run_evaluate(chosen: argparse.Namespace, settings: Settings) -> int:
    """How good the answers are: measures with chance, intervals, and what explains them."""
    if chosen.place.startswith(TABLES):
        return _table(chosen, settings)
    collection, given = _read(chosen, settings)
    if chosen.place == ARCHIVE:
        _shadow(chosen, settings, collection, given[0])
        if not (collection.label_names or chosen.classes or chosen.number):
            say("nothing is known of the studies: `likeness labels import` brings labels")
            return 0
    rules, wanted = _rules(chosen), _wanted(chosen)
    tasks = tuple(planning.planned(collection, wanted, rules))
    strata = planning.strata(collection, wanted)
    asked = tuple(_systems(chosen, settings, collection, given))
    judgements = tuple(_judged(asked, tasks, collection, rules, strata))
    evaluated = Evaluated(collection, rules, tasks, asked, judgements, strata)
    made = provenance(_now(), shlex.join(sys.argv), rules.seed)
    with _bar("pictures", "image") as progress:
        document = compose(evaluated, made, maps=not chosen.no_maps, progress=progress)
    written = write(document, collection, chosen.output)
    if chosen.json:
        put((chosen.output / REPORT).read_text(encoding="utf-8"))
    else:
        for task in tasks:
            some = [one for one in judgements if one.task == task.name]
            put("\n".join(text_table.table(task, some)) + "\n")
    say(f"the report: {next(path for path in written if path.suffix == '.html')}")
    return 0


def _shadow(
    chosen: argparse.Namespace, settings: Settings, collection: Collection, system: System
) -> None:
    """How the archive would have been answered about; it is kept beside the report."""
    since = None if chosen.new_since is None else chosen.new_since.timestamp()
    level = settings.search.level
    found = shadow(collection, system.vectors, system.metric, level, since, seed=chosen.seed)
    chosen.output.mkdir(parents=True, exist_ok=True)
    told = json.dumps(plain(found), indent=2, allow_nan=False)
    (chosen.output / "shadow.json").write_text(told + "\n", encoding="utf-8")
    if not chosen.json:
        put("\n".join(text_table.shadowed(found)) + "\n")


def _table(chosen: argparse.Namespace, settings: Settings) -> int:
    """A table of a paper, ours beside what the paper prints."""
    named = papers.table(chosen.place)
    if chosen.data is None:
        wants = f"{named.wants.says} (readers: {', '.join(named.wants.readers)})"
        chosen.misused(f"{named.id} wants {wants}: name it with --data")
    chosen.place = str(chosen.data)
    collection, given = _read(chosen, settings)
    asked = tuple(_systems(chosen, settings, collection, given))
    with _bar(named.id, "query") as progress:
        graded = [read_grades(path, collection) for path in chosen.grades]
        terms = Terms(
            chosen.as_printed,
            chosen.make_splits,
            chosen.seed,
            truth=graded[0] if graded else None,
            others=tuple(graded[1:]),
            progress=progress,
        )
        made = named.run(collection, asked, terms)
    chosen.output.mkdir(parents=True, exist_ok=True)
    file = chosen.output / f"{named.id.replace('/', '-')}.md"
    file.write_text(markdown(made), encoding="utf-8")
    put(text(made))
    say(f"the table: {file}")
    return 0


def _rules(chosen: argparse.Namespace) -> Rules:
    return Rules(
        chosen.apart, tuple(chosen.queries), tuple(chosen.index), chosen.uncertain, chosen.seed
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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


def _read(chosen: argparse.Namespace, settings: Settings) -> tuple[Collection, tuple[System, ...]]:
    """The collection, and the vectors that it came with."""
    collection, given = _whole(chosen, settings)
    if chosen.label_set is not None:
        collection = consolidated(collection, chosen.label_set)
    kept = planning.met(collection, chosen.where)
    some = tuple(replace(one, vectors=one.vectors[kept]) for one in given)
    return collection.take(kept), some


def _whole(chosen: argparse.Namespace, settings: Settings) -> tuple[Collection, tuple[System, ...]]:
    if chosen.place == ARCHIVE:
        with open_database(settings) as engine:
            told = read_archive(engine, chosen.space)
        space = told.space
        metric = Metric(space.metric)
        return told.collection, (System(space.encoder, told.vectors, metric, space.id),)
    place = Path(chosen.place)
    name = chosen.reader or readers.recognised(place)
    if name is None:
        known = ", ".join(readers.READERS)
        raise readers.ReaderError(
            f"{place} is no data set that is known; --reader says which it is: {known}"
        )
    if name == "vectors":
        collection, vectors = read_vectors(place)
        return collection, (System("vectors", vectors, Metric(chosen.metric)),)
    read = readers.READERS[name].read
    options = options_of(name, read, chosen.option)
    return read(place, images=readers.Images(chosen.images), **options), ()


def _systems(
    chosen: argparse.Namespace,
    settings: Settings,
    collection: Collection,
    given: tuple[System, ...],
) -> Iterator[System]:
    yield from given
    # named twice, a system is asked once
    names = dict.fromkeys(chosen.encoder or ([] if given else [settings.encoder.name]))
    for name in names:
        with _bar(name, "image") as progress:
            made = system_of(
                name,
                collection,
                chosen.output,
                encoder_options(settings),
                progress,
                seed=chosen.seed,
            )
        yield replace(made, metric=Metric(chosen.metric))


def _judged(
    asked: tuple[System, ...],
    tasks: tuple[Task, ...],
    collection: Collection,
    rules: Rules,
    strata: tuple[str, ...],
) -> Iterator[Judgement]:
    with tqdm(total=len(asked) * len(tasks), unit="task", disable=None) as bar:
        for system in asked:
            for task in tasks:
                bar.set_description(f"{system.name}: {task.name}")
                yield judge(system, task, collection, rules, strata)
                bar.update()


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Progress]:
    with tqdm(desc=what, unit=unit, disable=None, delay=1.0) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def add_verbs(verbs: Any) -> None:
    """Tells the parser of it."""
    parser = verb(verbs, "evaluate", run_evaluate)
    add = parser.add_argument
    add("place", metavar="PLACE", help="a data set's folder or file; 'archive', the site's own;"
        " or a paper's table such as papers/2-table2, of the data set --data")  # fmt: skip
    add("--data", type=Path, metavar="PLACE", help="the data set of a paper's table")
    add("--as-printed", action="store_true", help="a paper's table by its own, looser rules")
    add("--grades", type=Path, nargs="*", default=[], metavar="FILE",
        help="of papers/3-ndcg: readers' grades; the first reader's are right")  # fmt: skip
    add("--make-splits", action="store_true", help="splits by lot where the data set has none")
    add("--new-since", type=datetime.fromisoformat, metavar="DATE",
        help="of the archive: from when images are new, and compared with the others"
        " (default: the last tenth)")  # fmt: skip
    add("--space", metavar="ID", help="of the archive (default: the one that answers)")
    add("--reader", choices=readers.READERS, help="the data set's layout (default: recognised)")
    add("--option", action="append", default=[], metavar="KEY=VALUE",
        help="of the layout, such as labeler=negbio (docs/evaluation.md)")  # fmt: skip
    add("--images", choices=("all", "present"), default="all",
        help="present: images that are not there are left out, and told")  # fmt: skip
    add(
        "--encoder",
        action="append",
        default=[],
        metavar="NAME",
        help="of the registry; random:NAME[:SEED], its network with random weights; pixels; random"
        " (default: that of the settings); may be repeated, and all are compared",
    )
    add("--classes", action="append", default=[], metavar="COLUMN", help="tells one class each;"
        " 'label' stands for the label of images that have exactly one")  # fmt: skip
    add("--within", metavar="COLUMN", help="whose values are kept apart for the classes")
    add(
        "--labels",
        nargs="*",
        metavar="COLUMN=VALUE",
        help="labels in common, among all images or those (default where no classes are named)",
    )
    add("--label-set", choices=LABEL_SETS, help="labels merged as papers merge them")
    add("--all-answer", action="store_true", help="images without a label answer too")
    add("--number", action="append", default=[], metavar="COLUMN:SCALE[:BIN,BIN]",
        help="graded by a measured value: 1 where equal, 0 from SCALE apart")  # fmt: skip
    add("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these images")
    add("--strata", nargs="*", metavar="COLUMN", help="what may explain the answers"
        " (default: view, sex, age, scanner, source ... where they are told)")  # fmt: skip
    add("--apart", choices=("patient", "study", "image"), default="patient",
        help="whose images never answer a query (patient)")  # fmt: skip
    add("--uncertain", choices=RULES, default="ignore", help="what an uncertain label is (ignore)")
    add("--queries", nargs="*", default=[], metavar="SPLIT", help="images of these splits ask")
    add("--index", nargs="*", default=[], metavar="SPLIT", help="images of these splits answer")
    add("--metric", choices=("cosine", "l2", "inner_product"), default="cosine")
    add("--seed", type=int, default=0, help="of every draw (0)")
    add("--no-maps", action="store_true", help="without t-SNE, which takes minutes for thousands")
    add("-o", "--output", type=Path, default=Path("evaluation-report"), metavar="FOLDER",
        help="of the report, and of vectors, so that the same command goes on after a stop"
        " (evaluation-report)")  # fmt: skip
    add("--json", action="store_true", help="the report as JSON on stdout")

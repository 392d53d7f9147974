"""Small made evaluations, among them one with every ugly text that a collection may bring."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.ablation.asked import Ablated, by_measure, pools
from evaluation.ablation.curves import Design, ablation
from evaluation.collection import POSITIVE, RECEIVED, UNCERTAIN, Collection, states_of
from evaluation.evaluating import System, judge
from evaluation.probing.asked import Kind, probed, questions
from evaluation.probing.splits import with_splits
from evaluation.report.compose import Evaluated
from evaluation.report.provenance import Provenance
from evaluation.shadow import shadow
from evaluation.tasks import Rules, Task, any_label, each_label, one_class

SCRIPT = '</script><script>document.title = "taken"</script>'
QUOTES = "\"'><img src=x onerror='document.title=1'> & 100 %"
LONG = "a finding of two hundred characters " * 6
ARABIC = "استرواح الصدر"
CHINESE = "胸腔积液"
UGLY = (SCRIPT, QUOTES, LONG, ARABIC, CHINESE)
MADE_WITH = Provenance(
    made="2026-11-22 04:30 UTC",
    command="likeness evaluate collection --systems near,random",
    seed=7,
    machine="a processor, 2 cores, Linux",
    versions={"likeness": "0.1.0", "numpy": "2.4.6"},
)


def pictures(folder: Path, count: int, seed: int = 0) -> tuple[Path, ...]:
    """Grey pictures of several shapes."""
    random = np.random.default_rng(seed)
    paths = []
    for at in range(count):
        pixels = random.integers(0, 256, (40 + at % 3 * 20, 60), np.uint8)
        path = folder / f"{at}.png"
        Image.fromarray(pixels).save(path)
        paths.append(path)
    return tuple(paths)


def collection_of(
    classes: Sequence[str],
    *,
    name: str = "made",
    labels: Sequence[str] = (),
    views: Sequence[str] = (),
    paths: tuple[Path, ...] = (),
    seed: int = 0,
) -> Collection:
    """An image and a patient for each class that is named; labels by lot, some uncertain."""
    count = len(classes)
    random = np.random.default_rng(seed)
    names = tuple(labels) or ("Effusion", "Mass")
    states = states_of([()] * count, names)
    states[random.random(states.shape) < 0.35] = POSITIVE
    states[random.random(states.shape) < 0.05] = UNCERTAIN
    attributes = {"class": np.array(classes)}
    if views:
        attributes["view"] = np.array(views)
    return Collection(
        name=name,
        ids=tuple(f"id-{at}" for at in range(count)),
        patients=tuple(f"patient-{at}" for at in range(count)),
        label_names=names,
        states=states,
        attributes=attributes,
        numbers={"weight": random.normal(70, 10, count)},
        paths=paths,
    )


def near(collection: Collection, column: str = "class", *, noise: float = 0.5) -> System:
    """Vectors that tell a column, more or less."""
    random = np.random.default_rng(1)
    codes = np.unique(collection.attributes[column], return_inverse=True)[1]
    centres = random.standard_normal((codes.max() + 1, 16))
    vectors = centres[codes] + noise * random.standard_normal((len(collection), 16))
    return System(f"near {column}", vectors.astype(np.float32), space="0123456789abcdef")


def by_lot(collection: Collection) -> System:
    """Vectors that tell nothing."""
    drawn = np.random.default_rng(2).standard_normal((len(collection), 16))
    return System("random", drawn.astype(np.float32))


def evaluated(
    collection: Collection,
    systems: Sequence[System] = (),
    tasks: Sequence[Task] = (),
    *,
    rules: Rules = Rules(seed=7),  # noqa: B008  (frozen)
    strata: Sequence[str] = (),
) -> Evaluated:
    """Asks each system each question; by default of the classes and of the labels."""
    systems = tuple(systems) or (near(collection), by_lot(collection))
    everyone = np.arange(len(collection))
    tasks = tuple(tasks) or (
        one_class(collection, "class"),
        any_label(collection, everyone, rules.uncertain),
        each_label(collection, everyone, rules.uncertain),
    )
    judgements = tuple(
        judge(system, task, collection, rules, strata) for task in tasks for system in systems
    )
    return Evaluated(collection, rules, tasks, systems, judgements, tuple(strata))


def as_archive(collection: Collection) -> Collection:
    """Two images of each study; two sources, one of them ugly, and at the end one that is new."""
    count = len(collection)
    new = count // 6
    sources = [("CT1", SCRIPT)[at % 2] for at in range(count - new)] + ["CT3"] * new
    modalities = np.array(["CT"] * count)
    return replace(
        collection,
        attributes={
            **collection.attributes,
            "modality": modalities,
            "source": np.array(sources),
        },
        numbers={
            **collection.numbers,
            RECEIVED: np.linspace(1.76e9, 1.76e9 + 3600 * (count - 1), count),
        },
        studies=tuple(f"study {at // 2}" for at in range(count)),
        patients=tuple(f"patient {at // 2}" for at in range(count)),
    )


def with_shadow(made: Evaluated) -> Evaluated:
    """What shadow mode finds of the first system."""
    system = made.systems[0]
    found = shadow(made.collection, system.vectors, system.metric, 20.0, seed=7)
    return replace(made, shadow=found)


def unasked(collection: Collection) -> Evaluated:
    """An archive of which nothing is known."""
    bare = replace(collection, label_names=(), states=np.zeros((len(collection), 0), np.int8))
    system = near(bare)
    return with_shadow(Evaluated(bare, Rules(seed=7), (), (system,), (), ("source",)))


def with_probes(made: Evaluated) -> Evaluated:
    """Both probes of all that is asked; the collection has splits."""
    kinds: tuple[Kind, ...] = ("knn", "linear")
    found = tuple(
        probed(system, question, kind, draws=20)
        for question in questions(made.tasks, made.collection, made.rules)
        for kind in kinds
        for system in made.systems
    )
    return replace(made, probes=found)


def with_ablations(made: Evaluated) -> Evaluated:
    """Small ones, of each task that has classes."""
    design = Design(sizes=(1, 2, 4), queries=2, seeds=(0, 1))
    found: list[Ablated] = []
    for task, pool in pools(made.tasks, made.collection, made.rules, design):
        curves = [
            one for system in made.systems for one in ablation(system, pool, design, draws=20)
        ]
        found += by_measure(task, curves)
    return replace(made, ablations=tuple(found))


def everything(folder: Path | None = None) -> Evaluated:
    """All that a report can hold, with ugly names."""
    collection, _ = with_splits(as_archive(ugly_collection(folder)), make=True, seed=1)
    made = evaluated(collection, ugly_systems(collection), strata=("view", "source"))
    return with_ablations(with_probes(with_shadow(made)))


def ugly_collection(folder: Path | None = None, count: int = 120) -> Collection:
    """Ugly names wherever a name may stand."""
    views = ["PA", "AP<b>", ""] * (count // 3)
    return collection_of(
        [UGLY[at % len(UGLY)] for at in range(count)],
        name=f"ugly {SCRIPT}",
        labels=UGLY,
        views=views[:count],
        paths=pictures(folder, count) if folder else (),
    )


def ugly_systems(collection: Collection) -> tuple[System, ...]:
    """One that knows, and one that does not."""
    return near(collection), System(f"other {SCRIPT}", by_lot(collection).vectors)


def ugly(folder: Path | None = None, count: int = 120) -> Evaluated:
    """Ugly names and all questions."""
    collection = ugly_collection(folder, count)
    return evaluated(collection, ugly_systems(collection), strata=("view",))

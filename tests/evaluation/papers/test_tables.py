"""Each named table on a small made collection: figures, rules, and what is refused."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.ablation.curves import Design
from evaluation.collection import POSITIVE, Collection, CollectionError
from evaluation.evaluating import System
from evaluation.grades import Grades
from evaluation.papers import TABLES, table
from evaluation.papers.named_table import Line, MadeTable, Terms
from tests.evaluation.papers import made

QUICK = Terms(draws=20, design=Design(sizes=(1, 2), queries=2, seeds=(0,), measures=("p@1",)))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A layer this small is slowed down by threads, a hundredfold beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weighed() -> Collection:
    weights = [110.0 + 3 * at for at in range(60)] + [float("nan")] * 3
    return made.collection((), np.empty((63, 0)), weights=weights)


def graded() -> tuple[Collection, Terms]:
    count = 24
    whole = made.collection((), np.empty((count, 0)))
    best = {at: 5.5 - (at - 1) / 2 for at in range(1, 11)}
    truth = Grades("R1", {0: best, 12: {at + 12: grade for at, grade in best.items()}})
    others = Grades("R2", {0: best, 12: {13: 1.0}})
    return whole, dataclasses.replace(QUICK, truth=truth, others=(others,))


COLLECTIONS: dict[str, Callable[[], Collection]] = {
    "papers/1-map5": lambda: made.radiographs(900),
    "papers/1-weight-ndcg": weighed,
    "papers/2-table2": made.radiographs,
    "papers/2-table3": made.radiographs,
    "papers/2-table4": made.radiographs,
    "papers/2-figure3": made.radiographs,
    "papers/3-ndcg": lambda: graded()[0],
    "papers/4-table1": made.regions,
    "papers/4-table2": made.regions,
    "papers/5-table": made.radiographs,
    "papers/5-ndcg": made.radiographs,
}


def run(name: str, **changes: object) -> MadeTable:
    whole = COLLECTIONS[name]()
    terms = graded()[1] if name == "papers/3-ndcg" else QUICK
    terms = dataclasses.replace(terms, **changes)  # type: ignore[arg-type]
    return table(name).run(whole, made.systems_of(whole), terms)


def line(found: MadeTable, system: str, name: str, mean: str = "micro", **where: str) -> Line:
    (one,) = (
        one
        for one in found.lines
        if (one.system, one.figure.measure, one.figure.mean) == (system, name, mean)
        and one.setting == where.get("setting", one.setting)
        and one.group == where.get("group", "")
    )
    return one


@pytest.mark.parametrize("as_printed", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_made(name: str, as_printed: bool) -> None:
    seen: list[tuple[int, int]] = []
    found = run(name, as_printed=as_printed, progress=lambda *at: seen.append(at))
    assert found.rules == ("as printed" if as_printed else "ours")
    assert found.told
    assert seen
    assert {"knows", "random"} <= {one.system for one in found.lines}
    for one in found.lines:
        figure = one.figure
        assert np.isnan(figure.value) or figure.low <= figure.value <= figure.high
        assert np.isnan(figure.value) or 0 <= figure.chance <= 1
    cells = {(one.setting, one.group, one.measure, one.mean) for one in table(name).printed}
    shown = {
        (one.setting, one.group, one.measure, one.mean)
        for beside in found.lines
        for one in beside.printed
    }
    lacking = {cell for cell in cells - shown if not cell[0].startswith("Stanford")}
    assert not lacking


@pytest.mark.parametrize(
    "name", ["papers/1-map5", "papers/2-table4", "papers/2-figure3", "papers/5-ndcg"]
)
def test_what_is_drawn_is_repeated_by_its_seed(name: str) -> None:
    assert run(name).lines == run(name).lines


ABOUT_LABELS = set(TABLES) - {"papers/1-weight-ndcg", "papers/2-figure3", "papers/3-ndcg"}


@pytest.mark.parametrize("name", sorted(ABOUT_LABELS))
def test_who_knows_the_labels_is_better_than_who_knows_nothing(name: str) -> None:
    found = run(name)
    pairs = {
        (one.setting, one.figure.measure, one.figure.mean): one.figure.value
        for one in found.lines
        if one.system == "random" and not one.group
    }
    better = [
        one.figure.value > pairs[one.setting, one.figure.measure, one.figure.mean]
        for one in found.lines
        if one.system == "knows" and not one.group
    ]
    assert all(better)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("papers/1-map5", {"label_names": 1}, "lacks the labels Cardiomegaly"),
        ("papers/1-weight-ndcg", {"numbers": {}}, "lacks the numbers weight"),
        (
            "papers/2-table2",
            {"splits": ()},
            "lacks the splits train, test.*It wants images of exactly",
        ),
        ("papers/2-table4", {"splits": ("train",) * 240}, "lacks the splits val, test"),
        ("papers/2-figure3", {"label_names": 0}, "lacks labels of any name"),
        ("papers/4-table2", {"label_names": 1}, "lacks the labels lung opacity"),
        ("papers/5-table", {"label_names": 1}, "lacks the labels, for NIH Atelectasis"),
        ("papers/5-ndcg", {"label_names": 1}, "lacks the labels Atelectasis"),
    ],
)
def test_what_a_collection_lacks_is_told(
    name: str, change: dict[str, object], message: str
) -> None:
    whole = COLLECTIONS[name]()
    if "label_names" in change:
        kept = whole.states[:, -1:] if change["label_names"] else whole.states[:, :0]
        names = whole.label_names[-1:] if change["label_names"] else ()
        change = {"label_names": names, "states": kept}
    whole = dataclasses.replace(whole, **change)  # type: ignore[arg-type]
    with pytest.raises(CollectionError, match=message):
        table(name).run(whole, made.systems_of(whole), QUICK)


def test_systems_that_do_not_fit() -> None:
    whole = made.radiographs()
    with pytest.raises(CollectionError, match="needs a system"):
        table("papers/5-table").run(whole, ())
    short = System("short", np.ones((3, 2), np.float32))
    with pytest.raises(CollectionError, match="short: 3 vectors for 240 images"):
        table("papers/5-table").run(whole, (short,))


def test_splits_are_made_where_the_terms_say_so() -> None:
    whole = made.radiographs(splits=False)
    terms = dataclasses.replace(QUICK, make_splits=True)
    found = table("papers/2-table2").run(whole, made.systems_of(whole), terms)
    assert any(
        "Splits are drawn by patient (0.8 train, 0.1 val, 0.1 test), seed 0." in one
        for one in found.told
    )


def test_patients_in_training_and_test_are_refused_unless_as_printed() -> None:
    whole = made.radiographs()
    shared = dataclasses.replace(whole, patients=("same",) * len(whole))
    with pytest.raises(CollectionError, match="1 patients are in more than one of the splits"):
        table("papers/2-table2").run(shared, made.systems_of(shared), QUICK)
    loose = dataclasses.replace(QUICK, as_printed=True)
    assert table("papers/2-table2").run(shared, made.systems_of(shared), loose).lines


def test_paper_1_takes_as_many_with_the_finding_as_without() -> None:
    found = run("papers/1-map5")
    one = line(found, "knows", "ap.hits@5", setting="Cardiomegaly")
    whole = COLLECTIONS["papers/1-map5"]()
    tested = np.array(whole.splits) == "test"
    positive = (whole.label("Cardiomegaly") == POSITIVE) & tested
    assert one.figure.queries == 2 * positive.sum()
    assert [round(printed.value, 3) for printed in one.printed] == [0.68, 0.76]


def test_paper_1_weight_classes_are_those_of_the_paper() -> None:
    found = run("papers/1-weight-ndcg")
    assert "3 of unknown weight" in found.told[0]
    groups = {one.group for one in found.lines if one.setting == "relevance by class"}
    assert groups == {"", "< 150", "150 to 200", ">= 200"}


def test_paper_2_takes_images_of_one_label_and_those_without_any() -> None:
    found = run("papers/2-table2")
    whole = made.radiographs()
    positives = (whole.states == POSITIVE).sum(axis=1)
    tested = np.array(whole.splits) == "test"
    assert line(found, "knows", "p@1").figure.queries == (tested & (positives <= 1)).sum()
    assert f"{(positives <= 1).sum():,} of 240 images have exactly one label" in found.told[0]


def test_paper_2_as_printed_asks_with_validation_images_too() -> None:
    ours, loose = run("papers/2-table2"), run("papers/2-table2", as_printed=True)
    assert line(loose, "knows", "p@1").figure.queries > line(ours, "knows", "p@1").figure.queries


def test_paper_2_says_what_its_probes_did() -> None:
    loose = " ".join(run("papers/2-table4", as_printed=True).told)
    assert "no more than the query's true class has images" in loose
    assert "one linear layer by paper 2's recipe" in loose
    ours = " ".join(run("papers/2-table4").told)
    assert "logistic regression, C = 1" in ours
    assert "true class" not in ours


def test_paper_2s_figure_gives_curves() -> None:
    found = run("papers/2-figure3")
    assert [(one.system, one.measure) for one in found.ablations] == [
        ("knows", "p@1"),
        ("random", "p@1"),
    ]
    assert {one.group for one in found.lines if one.setting == "B: by samples"} == {
        "1 per class",
        "2 per class",
    }
    sizes = [one.group for one in found.lines if one.setting == "A: by class"]
    assert all(group.endswith("in the index)") for group in sizes)


def test_paper_3_ranks_systems_ssim_and_other_readers(tmp_path: Path) -> None:
    whole, terms = graded()
    random = np.random.default_rng(0)
    paths = []
    for at in range(len(whole)):
        path = tmp_path / f"{at}.png"
        Image.fromarray(random.integers(0, 256, (30, 30), np.uint8)).save(path)
        paths.append(path)
    whole = dataclasses.replace(whole, paths=tuple(paths))
    found = table("papers/3-ndcg").run(whole, made.systems_of(whole), terms)
    names = list(dict.fromkeys(one.system for one in found.lines))
    assert names == ["knows", "random", "SSIM", "R2"]
    at_ten = line(found, "SSIM", "ndcg.exp@10").figure
    assert round(at_ten.chance, 3) == 0.698
    assert at_ten.queries == 2


def test_paper_3_without_grades_or_images() -> None:
    whole, terms = graded()
    with pytest.raises(CollectionError, match="a reader's grades are needed"):
        table("papers/3-ndcg").run(whole, made.systems_of(whole), QUICK)
    found = table("papers/3-ndcg").run(whole, made.systems_of(whole), terms)
    assert any("SSIM needs the image files" in one for one in found.told)


def test_paper_4_leaves_out_lateral_images_and_by_our_rules_the_patient() -> None:
    found = run("papers/4-table2")
    assert "24 not frontal" in found.told[1]
    whole = made.regions()
    frontal = whole.attributes["view"] != "LATERAL"
    positive = (whole.label("pneumonia") == POSITIVE) & frontal
    assert line(found, "knows", "p@5", group="pneumonia").figure.queries == positive.sum()
    loose = run("papers/4-table2", as_printed=True)
    one, other = (
        line(made_, "random", "p@5", group="pneumonia").figure for made_ in (found, loose)
    )
    # the pairs of a patient are among those that may answer
    assert one.chance != other.chance


def test_paper_4_without_a_finding_in_any_image() -> None:
    whole = made.regions()
    states = whole.states.copy()
    states[:, 5] = 0
    whole = dataclasses.replace(whole, states=states)
    found = table("papers/4-table2").run(whole, made.systems_of(whole), QUICK)
    assert any("no image has pneumothorax" in one for one in found.told)
    empty = dataclasses.replace(whole, states=np.full_like(states, -2))
    with pytest.raises(CollectionError, match="no frontal test image has findings"):
        table("papers/4-table2").run(empty, made.systems_of(empty), QUICK)


def test_paper_5_makes_the_label_sets_that_the_collection_has() -> None:
    nih = {one.setting for one in run("papers/5-table").lines}
    assert nih == {"NIH", "NIH-U", "NIH, all images answer", "NIH-U, all images answer"}
    whole = made.uncertain_radiographs()
    found = table("papers/5-table").run(whole, made.systems_of(whole), QUICK)
    assert {one.setting for one in found.lines} == {
        "Stanford",
        "Stanford-U",
        "Stanford, all images answer",
        "Stanford-U, all images answer",
    }
    assert line(found, "knows", "acg@10", setting="Stanford").printed[0].value == 0.38


def test_paper_5_counts_uncertain_labels_as_positive_only_as_printed() -> None:
    whole = made.uncertain_radiographs()
    ours = table("papers/5-table").run(whole, made.systems_of(whole), QUICK)
    terms = dataclasses.replace(QUICK, as_printed=True)
    loose = table("papers/5-table").run(whole, made.systems_of(whole), terms)
    one, other = (line(found, "random", "p@10", setting="Stanford") for found in (ours, loose))
    assert other.figure.queries > one.figure.queries
    assert other.figure.chance > one.figure.chance


def test_paper_5_by_brute_force() -> None:
    """ACG and precision of the first ten, image by image."""
    whole = made.radiographs()
    system = made.systems_of(whole)[0]
    (found,) = (
        [
            one
            for one in run("papers/5-table").lines
            if one.system == "knows" and one.setting == "NIH"
        ],
    )
    positive = whole.states[:, :13] == POSITIVE
    some = [at for at in range(len(whole)) if whole.splits[at] == "test" and positive[at].any()]
    unit = system.vectors / np.linalg.norm(system.vectors, axis=1, keepdims=True)
    gains, hits = [], []
    for query in some:
        others = [at for at in some if at != query]
        nearest = sorted(others, key=lambda at: -float(unit[query] @ unit[at]))[:10]
        common = [(positive[query] & positive[at]).sum() for at in nearest]
        gains.append(np.mean(common) / positive[query].sum())
        hits.append(np.mean([one > 0 for one in common]))
    by_measure = {one.figure.measure: one.figure.value for one in found}
    assert by_measure["acg@10"] == pytest.approx(np.mean(gains))
    assert by_measure["p@10"] == pytest.approx(np.mean(hits))


def test_paper_5s_subset_is_split_by_patient_unless_as_printed() -> None:
    whole = made.radiographs(600)
    whole = dataclasses.replace(whole, patients=tuple(f"p{at // 4}" for at in range(600)))
    ours = table("papers/5-ndcg").run(whole, made.systems_of(whole), QUICK)
    assert "drawn by lot by patient" in ours.told[0]
    loose = table("papers/5-ndcg").run(
        whole, made.systems_of(whole), dataclasses.replace(QUICK, as_printed=True)
    )
    assert "drawn by lot by image" in loose.told[0]

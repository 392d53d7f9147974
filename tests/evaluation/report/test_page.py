"""The page: what it says, that nothing in it is taken for markup, and that it fetches nothing."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluation.report.compose import Evaluated, compose
from evaluation.report.page import page
from evaluation.tasks import Rules, as_near, one_class
from tests.evaluation.report.made import (
    MADE_WITH,
    UGLY,
    as_archive,
    collection_of,
    evaluated,
    everything,
    ugly,
    unasked,
)

VOID = {"meta", "link", "img"}


class Reader(HTMLParser):
    """Refuses elements that do not close each other; keeps tags, attributes, ids and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def words(html: str) -> str:
    return " ".join("".join(read(html).text).split())


def made_of(found: Evaluated) -> str:
    return page(compose(found, MADE_WITH, maps=False))


@pytest.fixture(scope="module")
def ugly_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(compose(ugly(tmp_path_factory.mktemp("images")), MADE_WITH))


@pytest.fixture(scope="module")
def full_page() -> str:
    """With probes, ablations and shadow mode."""
    return page(compose(everything(), MADE_WITH, maps=False))


@pytest.fixture(params=["ugly_page", "full_page"])
def any_page(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_every_text_stays_text(any_page: str) -> None:
    reader = read(any_page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert not [attrs for _, attrs in reader.tags if any(name.startswith("on") for name in attrs)]
    told = "".join(reader.text)
    for name in UGLY:
        assert name in told
    assert "AP<b>" in told


def test_it_fetches_nothing_and_lets_in_nothing(any_page: str) -> None:
    for tag, attrs in read(any_page).tags:
        assert "style" not in attrs
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            where = attrs.get(name) or "#"
            assert where.startswith(("#", "data:image/", "data:,")), (tag, where)
    assert "url(" not in any_page
    assert "@import" not in any_page


def test_the_policy_holds_the_digests_of_what_stands_in_the_page(ugly_page: str) -> None:
    metas = [attrs for tag, attrs in read(ugly_page).tags if tag == "meta"]
    policy = next(
        str(one["content"]) for one in metas if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind in ("style", "script"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", ugly_page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_ids_stand_once_and_links_lead_somewhere(any_page: str) -> None:
    tags = read(any_page).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in tags:
        where = attrs.get("href") or ""
        if where.startswith("#"):
            assert where[1:] in ids


SECTIONS = [
    "verdict",
    "figures",
    "confounders",
    "strata",
    "comparisons",
    "classes",
    "definitions",
    "pictures",
    "panels",
    "wrong",
    "collection",
    "provenance",
]


def sections(html: str) -> list[str]:
    """By their ids; each has its link at the top, in the same order."""
    tags = read(html).tags
    found = [str(attrs["id"]) for tag, attrs in tags if tag == "section"]
    links = [str(attrs["href"])[1:] for tag, attrs in tags if tag == "a" and "href" in attrs]
    assert links[1 : 1 + len(found)] == found
    return found


def test_the_order_of_the_sections(ugly_page: str) -> None:
    assert sections(ugly_page) == SECTIONS


def test_the_order_of_all_sections(full_page: str) -> None:
    wanted = [*SECTIONS]
    wanted[1:1] = ["shadow"]
    wanted[7:7] = ["probes", "ablations"]
    assert sections(full_page) == wanted


def test_an_archive_of_which_nothing_is_known() -> None:
    html = made_of(unasked(as_archive(collection_of(["a", "b"] * 30))))
    assert sections(html) == ["verdict", "shadow", "pictures", "collection", "provenance"]
    told = words(html)
    for wanted in (
        "Nothing was asked that labels could answer",
        "30 studies would be told that nothing is similar",
        "likeness labels import brings labels",
        "received2025-10-09 08:53 to 2025-10-11 19:53, median",
    ):
        assert wanted in told
    assert "nan" not in told.split()


def test_a_collection_of_which_nothing_was_asked() -> None:
    found = unasked(as_archive(collection_of(["a", "b"] * 30)))
    told = words(made_of(replace(found, shadow=None)))
    assert "Nothing was asked that labels could answer." in told


def test_what_probes_must_say(full_page: str) -> None:
    told = words(full_page)
    for wanted in (
        "96 training images, 12 validation images, 12 test images.",
        "votes of the nearest (kNN)",
        "linear classifier",
        "k = ",
        "Area under precision and recall as a sum over thresholds (average precision). Chance of",
        "probes.csv holds all measures",
    ):
        assert wanted in told


def test_what_an_ablation_must_say(full_page: str) -> None:
    told = words(full_page)
    assert "2 queries of each of 5 classes, drawn anew with each seed (0, 1)." in told
    assert "From 1 to 4 images of each class: near class 1.000 to 1.000; other" in told
    images = [attrs for tag, attrs in read(full_page).tags if tag == "img"]
    assert [one["alt"] for one in images] == ["p@1 by images of each class in the index, class"]


def test_what_shadow_mode_must_say(full_page: str) -> None:
    told = words(full_page)
    for wanted in (
        "60 studies would be told that nothing is similar: their best hit is below percentile 20",
        "No difference is shown between new and earlier images.",
        "Drift: images that came from 2025-10-13",
        "nothing new",
    ):
        assert wanted in told


def test_what_it_must_say(ugly_page: str) -> None:
    told = words(ugly_page)
    for wanted in (
        MADE_WITH.made,
        MADE_WITH.command,
        "Not a medical device.",
        "This file holds pictures of patients",
        "Images of the query's own patient never answer it.",
        "perplexity 30",
        "✓ relevant",
        "✗ not relevant",
        "space 0123456789abcdef",
    ):
        assert wanted in told


def test_a_figure_stands_with_interval_chance_and_queries() -> None:
    found = evaluated(collection_of(["a", "b"] * 20))
    figure = found.judgements[0].rows[0].figure
    figure = replace(
        figure, value=0.624, low=0.581, high=0.66, chance=0.403, lift_low=0.17, lift_high=0.26
    )
    rows = (replace(found.judgements[0].rows[0], figure=figure), *found.judgements[0].rows[1:])
    judgements = (replace(found.judgements[0], rows=rows), *found.judgements[1:])
    told = words(made_of(replace(found, judgements=judgements)))
    assert "p@1 .62 (.58 to .66), chance .40: better than chance." in told
    assert ".624 (.581 to .660)" in told
    assert "+.221 (.170 to .260)" in told


def test_a_looser_rule_is_told_at_the_top() -> None:
    loose = "Other images of the query's own patient may answer it here."
    collection = collection_of(["a", "b"] * 10)
    assert loose in words(made_of(evaluated(collection, rules=Rules(apart="image"))))
    assert loose not in words(made_of(evaluated(collection)))


def test_many_classes() -> None:
    collection = collection_of([f"class {at % 64} of many" for at in range(192)])
    html = made_of(evaluated(collection, tasks=[one_class(collection, "class")]))
    told = words(html)
    assert "class 63 of many" in told
    # of each system; too wide for paper
    kinds = [attrs.get("class") for _, attrs in read(html).tags]
    assert kinds.count("matrix screen") == 2


def test_one_class() -> None:
    collection = collection_of(["a", "b"] * 10)
    task = one_class(collection, "class")
    part = replace(task.parts[0], classes=np.zeros(20, np.int64), class_names=("only",))
    told = words(made_of(evaluated(collection, tasks=[replace(task, parts=(part,))])))
    assert "There are no classes that could be mistaken for each other." in told


def test_no_value_anywhere() -> None:
    collection = collection_of([f"alone {at}" for at in range(12)])
    names = ("p.cap@1", "recall@5")
    task = replace(one_class(collection, "class", names), headline="p.cap@1")
    html = made_of(evaluated(collection, tasks=[task]))
    assert "p.cap@1 has no value: none of 12 queries has one." in words(html)
    assert "nan" not in re.sub(r"base64,[^\"]+|sha256-[^']+", "", html).lower().split()


def test_a_single_query() -> None:
    collection = collection_of(["a", "b"] * 10)
    splits = ("test", *["train"] * 19)
    collection = replace(collection, splits=splits)
    rules = Rules(query_splits=("test",), index_splits=("train",))
    told = words(made_of(evaluated(collection, rules=rules)))
    assert "Asked by 1 query of 1 patient." in told
    assert "1 patient is too few for a verdict." in told


def test_without_files_and_with_missing_ones(tmp_path: Path) -> None:
    collection = collection_of(["a", "b"] * 10)
    told = words(made_of(evaluated(collection)))
    assert "The collection has no image files" in told
    assert "no picture" in told
    assert "holds pictures of patients" not in told
    gone = tuple(tmp_path / f"{at}.png" for at in range(20))
    told = words(made_of(evaluated(replace(collection, paths=gone))))
    assert "picture missing" in told
    assert "20 of 20 images could not be read for their pictures" in told


def test_graded_relevance() -> None:
    collection = collection_of(["a", "b"] * 10)
    told = words(made_of(evaluated(collection, tasks=[as_near(collection, "weight", 20)])))
    assert "Relevance is graded: 1 at the same weight, 0 from 20 apart." in told
    assert "grade ." in told


def test_values_that_are_kept_apart() -> None:
    collection = collection_of(["a", "b"] * 20, views=["set 1"] * 20 + ["set 2"] * 20)
    task = one_class(collection, "class", within="view")
    told = words(made_of(evaluated(collection, tasks=[task])))
    for wanted in ("mean over view", "view = set 1", "view = set 2"):
        assert wanted in told

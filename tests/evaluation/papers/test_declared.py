"""What is declared of the papers' tables: it is whole, and the figures are the papers'."""

import pytest

from evaluation.measures import measure
from evaluation.papers import TABLES, UnknownTableError, table
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Printed
from evaluation.probing.classification import SAYS
from evaluation.readers import READERS


def test_every_table_is_there_by_its_id() -> None:
    assert list(TABLES) == [
        "papers/1-map5",
        "papers/1-weight-ndcg",
        "papers/2-table2",
        "papers/2-table3",
        "papers/2-table4",
        "papers/2-figure3",
        "papers/3-ndcg",
        "papers/4-table1",
        "papers/4-table2",
        "papers/5-table",
        "papers/5-ndcg",
    ]
    assert all(table(name).id == name for name in TABLES)


def test_a_table_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownTableError, match=r"no table 'papers/9-x'; there are papers/1-map5"):
        table("papers/9-x")


@pytest.mark.parametrize("name", TABLES)
def test_each_is_whole(name: str) -> None:
    found = table(name)
    assert found.title
    assert found.source
    assert found.notes
    assert set(found.wants.readers) <= set(READERS)
    for one in found.printed:
        assert one.measure in SAYS or measure(one.measure).id == one.measure
        assert one.mean in {"micro", "class_mean", "class_inverse"}
        assert 0 < one.value < 1
    cells = [(one.system, one.measure, one.mean, one.setting, one.group) for one in found.printed]
    assert len(set(cells)) == len(cells)


def test_what_is_declared_must_be_made() -> None:
    with pytest.raises(ValueError, match="declared and made tables differ"):
        declared(3, {})


def printed(name: str, system: str, **where: str) -> dict[str, float]:
    return {
        f"{one.measure} {one.mean}": one.value
        for one in table(name).printed
        if one.system == system and all(getattr(one, key) == value for key, value in where.items())
    }


@pytest.mark.parametrize(
    ("name", "system", "where", "expected"),
    [
        (
            "papers/2-table2",
            "BiomedCLIP",
            {},
            [0.594, 0.590, 0.588, 0.583, 0.240, 0.230, 0.224, 0.217],
        ),
        ("papers/2-table2", "DINOv2", {}, [0.553, 0.548, 0.545, 0.540, 0.219, 0.204, 0.199, 0.192]),
        ("papers/2-table3", "X-MIR", {}, [0.954, 0.934, 0.934, 0.932, 0.954, 0.933, 0.934, 0.931]),
        ("papers/2-table4", "CLIP", {"setting": "linear"}, [0.743, 0.674, 0.308, 0.278]),
        ("papers/2-table4", "BiomedCLIP", {"setting": "kNN"}, [0.711, 0.667, 0.269, 0.231]),
        ("papers/4-table1", "CheXtriev V6", {}, [0.551, 0.407, 0.574]),
        ("papers/4-table2", "CheXtriev", {"group": "pneumonia"}, [0.447, 0.271, 0.472]),
        ("papers/5-table", "deep community, 224 px", {"setting": "NIH"}, [0.36, 0.48]),
        ("papers/5-ndcg", "deep community", {}, [0.31]),
    ],
)
def test_some_figures_as_printed(
    name: str, system: str, where: dict[str, str], expected: list[float]
) -> None:
    assert list(printed(name, system, **where).values()) == expected


FINDINGS = table("papers/4-table2").wants.labels
COUNTS = dict(zip(FINDINGS, (2679, 1340, 1241, 1212, 819, 96, 334, 169, 643), strict=True))


@pytest.mark.parametrize("system", ["Global CNN", "ATH", "AnaXNet", "CheXtriev"])
@pytest.mark.parametrize("name", ["ap.hits@5", "p@5", "rr@5"])
def test_paper_4s_means_follow_from_its_findings(system: str, name: str) -> None:
    """A mistyped digit would show: the means weigh the findings by their numbers of queries."""

    def value(group: str, mean: str = "micro") -> float:
        (one,) = (
            one
            for one in table("papers/4-table2").printed
            if (one.system, one.measure, one.group, one.mean) == (system, name, group, mean)
        )
        assert isinstance(one, Printed)
        return one.value

    of_findings = {group: value(group) for group in FINDINGS}
    assert sum(of_findings.values()) / 9 == pytest.approx(value("", "class_mean"), abs=0.0011)
    weighted = sum(of_findings[group] * count for group, count in COUNTS.items())
    assert weighted / sum(COUNTS.values()) == pytest.approx(value("", "micro"), abs=0.0011)

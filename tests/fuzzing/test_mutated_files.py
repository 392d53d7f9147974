"""Mutated files: each ends in a reason or a sound image, in processes that live on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.encoders.objects import needs_shared
from tests.fuzzing.examiner import Examiner, Verdict
from tests.fuzzing.mutants import KINDS, Recipe, mutate, schedule
from tests.fuzzing.outside import opinions, told
from tests.fuzzing.seeds import seeds
from tests.fuzzing.summary import findings, summary
from tests.telling import tell

FEW, MANY = 600, 20_000


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    with Examiner(tmp_path_factory.mktemp("mutated")) as opened:
        yield opened


def examined(examiner: Examiner, count: int) -> list[Verdict]:
    return [examiner.examine(seeds()[recipe.seed], recipe) for recipe in schedule(seeds(), count)]


def test_some_hundred_mutated_files_find_nothing(examiner: Examiner) -> None:
    verdicts = examined(examiner, FEW)
    assert {verdict.recipe.kind for verdict in verdicts} == set(KINDS)
    assert findings(verdicts) == []


def test_a_recipe_read_from_its_text_gives_the_same_file() -> None:
    for recipe in schedule(seeds(), FEW):
        seed = seeds()[recipe.seed]
        assert mutate(seed, recipe).data == mutate(seed, Recipe.parse(str(recipe))).data


@needs_shared
@pytest.mark.shared_data
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_twenty_thousand_mutated_files_find_nothing(
    examiner: Examiner,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = examined(examiner, MANY)
    found = findings(verdicts)
    lines = [summary(verdicts, seeds()), *told(opinions(verdicts, tmp_path))]
    tell(capsys, "\n".join([*lines, *found, f"findings: {len(found) or 'none'}"]))
    assert len(verdicts) >= MANY
    assert found == []

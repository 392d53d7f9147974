"""What mutated files have found stays found: the corpus, and a small made file of each kind."""

import re
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest

from tests.fuzzing.broken import REFUSED, group_length_of_bytes
from tests.fuzzing.corpus import CORPUS, Found
from tests.fuzzing.examiner import Examiner, Reference, Verdict
from tests.fuzzing.mutants import Mutant, Place, Recipe, mutate
from tests.fuzzing.seeds import seeds


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    with Examiner(tmp_path_factory.mktemp("corpus")) as opened:
        yield opened


def read(examiner: Examiner, make: Callable[[], bytes]) -> Verdict:
    mutant = Mutant(Recipe(make.__name__, "made", 0), make(), Place.ANYWHERE)
    return examiner.examine_file(mutant, Reference())


@pytest.mark.parametrize("found", CORPUS, ids=lambda found: found.text)
def test_the_corpus_is_refused(examiner: Examiner, found: Found) -> None:
    seed = seeds().get(found.recipe.seed)
    if seed is None:
        pytest.skip(f"{found.recipe.seed} is not beside the checkout (shared/data)")
    made = sha256(mutate(seed, found.recipe).data).hexdigest()
    assert made.startswith(found.digest), "the mutations have changed: keep the old ones"
    verdict = examiner.examine(seed, found.recipe)
    assert verdict.findings == ()
    assert verdict.reason is not None


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_a_made_file_with_one_fault_is_refused(
    examiner: Examiner, make: Callable[[], bytes]
) -> None:
    verdict = read(examiner, make)
    assert verdict.findings == ()
    assert verdict.reason is not None
    assert re.search(REFUSED[make], verdict.reason)


def test_a_header_is_refused_in_one_short_line(examiner: Examiner) -> None:
    verdict = read(examiner, group_length_of_bytes)
    assert verdict.findings == ()
    assert verdict.header is not None

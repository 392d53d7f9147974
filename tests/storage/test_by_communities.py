"""Studies by communities: the order is that of the vectors', and who may be a hit is as always."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import audit, embeddings, search
from storage.answer import Answer, ByCommunities
from storage.communities.partition import Method
from storage.communities.searching import CommunityIndex, Grown, Way
from storage.embeddings import NewEmbedding
from storage.filters import Filters
from storage.index import VectorIndex
from storage.search import Marks, Strategy, Wish, WishError
from tests.storage.made import Told, add_study, add_told, reference, row_of, space, unit

Vector = NDArray[np.float32]
DEGREE = 4
COUNT = 24
ASKING = "1.0"


@dataclass(frozen=True)
class Divided:
    """An archive, and its communities as they once were."""

    connection: Connection
    communities: CommunityIndex

    def ask(self, study: str = ASKING, **changes: Any) -> Answer:
        """The answer by communities for a study."""
        return self.answer(self.question(study, **changes))

    def answer(self, question: search.Question, rerank: int = 0) -> Answer:
        """The answer to a question."""
        index = held(self.connection)
        return search.answer(
            self.connection, index, question, rerank=rerank, communities=self.communities
        )

    def question(self, study: str = ASKING, **changes: Any) -> search.Question:
        """A study's question, by communities unless it is changed."""
        plain = search.question_of_study(
            self.connection, row_of(self.connection, study), space=space(), k=10, level=0
        )
        return replace(plain, **{"strategy": Strategy.COMMUNITIES, **changes})

    def studies(self) -> dict[int, str]:
        """The study of each vector there ever was."""
        rows = self.connection.execute(
            text(
                "SELECT e.id, study_instance_uid FROM embeddings e JOIN studies s ON s.id=study_id"
            )
        )
        return {row.id: row.study_instance_uid for row in rows}

    def of(self, *studies: str) -> set[int]:
        """The vectors of studies, live or not."""
        return {key for key, uid in self.studies().items() if uid in studies}

    def found(self, vector: Vector, excluded: Collection[int]) -> list[tuple[str, Grown]]:
        """By ``CommunityIndex.search``: the studies in order, each once, and what brought it."""
        of = self.studies()
        order: dict[str, Grown] = {}
        for one in self.communities.search(vector, self.communities.count, excluded).found:
            order.setdefault(of[one.key], one)
        return list(order.items())


def held(connection: Connection) -> VectorIndex:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    return index


def uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


def vectors(count: int, seed: int = 3) -> list[Vector]:
    drawn = np.random.default_rng(seed).normal(size=(count, 4)) + 0.5
    return [unit(*row) for row in drawn]


def divide(connection: Connection) -> Divided:
    index = held(connection)
    ids = index.ids()
    return Divided(connection, CommunityIndex.build(index.vectors(ids), ids, DEGREE))


@pytest.fixture
def archive(engine: Engine) -> Iterator[Divided]:
    """Studies of one image by patients of their own, but for 1.1 and 1.2, of the asking one's."""
    with engine.connect() as connection:
        for number, vector in enumerate(vectors(COUNT)):
            patient = "P" if number < 3 else f"P{number}"
            add_study(connection, space(), f"1.{number}", [vector], patient=patient)
        yield divide(connection)


def expected_hits(archive: Divided, study: str, excluded: Collection[int]) -> list[tuple[str, Way]]:
    vector = archive.question(study).images[0].vector
    return [(uid, one.way) for uid, one in archive.found(vector, excluded)]


@pytest.mark.parametrize("k", [1, 3, COUNT])
@pytest.mark.parametrize("number", [0, 5, 11, 23])
def test_the_hits_are_those_of_the_vectors(archive: Divided, number: int, k: int) -> None:
    study = f"1.{number}"
    own = archive.of(*(f"1.{n}" for n in range(3))) if number < 3 else archive.of(study)
    expected = expected_hits(archive, study, own)
    answer = archive.ask(study, k=k)
    assert [(hit.study.study_instance_uid, hit.way) for hit in answer.hits] == expected[:k]
    query = archive.question(study).images[0].vector
    edges = archive.communities.search(query, 1, own).edges
    assert answer.by_communities == ByCommunities("louvain", edges, COUNT, 0)
    assert [hit.rank for hit in answer.hits] == list(range(1, len(answer.hits) + 1))


def test_both_ways_are_told(archive: Divided) -> None:
    ways = [hit.way for hit in archive.ask("1.5", k=COUNT).hits]
    grown = ways.count("region")
    assert 0 < grown < len(ways)
    assert ways == ["region"] * grown + ["nearest"] * (len(ways) - grown)


def test_similarity_searched_and_priors_are_those_of_the_plain_answer(archive: Divided) -> None:
    grown = archive.ask(k=COUNT)
    plain = archive.ask(k=COUNT, strategy=Strategy.NEAREST)
    assert sorted(uids(grown)) == sorted(uids(plain))
    assert {h.study.id: (h.similarity, h.percentile) for h in grown.hits} == {
        h.study.id: (h.similarity, h.percentile) for h in plain.hits
    }
    assert (grown.searched, grown.priors) == (plain.searched, plain.priors)
    assert plain.by_communities is None
    assert {hit.way for hit in (*plain.hits, *grown.priors)} == {None}


def test_the_same_patient_never_comes(archive: Divided) -> None:
    assert not {"1.0", "1.1", "1.2"} & set(uids(archive.ask(k=COUNT)))
    assert len(uids(archive.ask(k=COUNT))) == COUNT - 3


def test_what_was_retired_never_comes_and_draws_nobody(archive: Divided) -> None:
    gone = uids(archive.ask(k=2))
    for uid in gone:
        row = row_of(archive.connection, uid)
        embeddings.retire_study(archive.connection, space_id=space().id, study_id=row)
    expected = expected_hits(archive, ASKING, archive.of("1.0", "1.1", "1.2", *gone))
    answer = archive.ask(k=COUNT)
    assert [(hit.study.study_instance_uid, hit.way) for hit in answer.hits] == expected
    assert not set(gone) & set(uids(answer))


def test_what_came_since_asks_and_is_not_found(archive: Divided) -> None:
    for uid in ("2.1", "2.2"):
        add_study(archive.connection, space(), uid, vectors(2, seed=9))
    answer = archive.ask(k=99)
    assert not {"2.1", "2.2"} & set(uids(answer))
    assert answer.by_communities is not None
    assert answer.by_communities.not_held == 4
    asking = archive.ask("2.1")
    assert asking.by_communities is not None
    assert (len(asking.hits), asking.by_communities.not_held) == (10, 2)  # its own are no hits


def test_filters_leave_what_fits_and_nothing_else_draws(engine: Engine) -> None:
    with engine.connect() as connection:
        for number, vector in enumerate(vectors(COUNT)):
            told = Told(f"1.{number}", vector, sex="FM"[number % 2], age=40 + number)
            add_told(connection, space(), told)
        archive = divide(connection)
        asked = Filters(sex="F", age_min=44)
        out = {f"1.{n}" for n in range(COUNT) if n % 2 or n < 4} | {ASKING}
        answer = archive.ask(k=COUNT, filters=asked)
        expected = expected_hits(archive, ASKING, archive.of(*out))
        assert [(hit.study.study_instance_uid, hit.way) for hit in answer.hits] == expected
        assert answer.searched == COUNT - len(out)
        none = archive.ask(filters=Filters(sex="O"))
        assert (none.hits, none.by_communities) == ((), ByCommunities("louvain", 0, COUNT, 0))


def two_images(archive: Divided, first: Vector, second: Vector, modality: str) -> None:
    """A study 3.1 of a radiograph and one more image."""
    row = add_study(archive.connection, space(), "3.1", [])
    images = (("3.1.1", "CR", first), ("3.1.2", modality, second))
    new = [NewEmbedding(reference(i, of), vector, b"", {}) for i, of, vector in images]
    embeddings.replace(archive.connection, space=space(), study_id=row, new=new)


def test_several_images_go_rank_by_rank(archive: Divided) -> None:
    """The first of either, the nearer one before; then the second of either; each study once."""
    first, second = vectors(2, seed=5)
    two_images(archive, first, second, "CR")
    orders = [archive.found(vector, ()) for vector in (first, second)]
    expected: list[str] = []
    for rank in zip(*orders, strict=True):
        nearer = sorted(rank, key=lambda entry: (entry[1].distance, entry[0]))
        expected += [uid for uid, _ in nearer if uid not in expected]
    answer = archive.ask("3.1", k=COUNT)
    assert uids(answer) == expected
    asked_by = [hit.query_image.sop_instance_uid for hit in answer.hits if hit.query_image]
    assert set(asked_by) == {"3.1.1", "3.1.2"}
    edges = sum(archive.communities.search(vector, 1).edges for vector in (first, second))
    assert answer.by_communities is not None
    assert answer.by_communities.edges == edges


def test_each_modality_group_has_its_own(engine: Engine) -> None:
    drawn = vectors(COUNT + 2)
    with engine.connect() as connection:
        for number, vector in enumerate(drawn[:COUNT]):
            of = "CT" if number % 3 == 0 else "CR"
            add_study(connection, space(), f"1.{number}", [vector], modality=of)
        archive = divide(connection)
        two_images(archive, drawn[-2], drawn[-1], "CT")
        answer = archive.ask("3.1", k=COUNT)
        for hit in answer.hits:
            is_ct = int(hit.study.study_instance_uid.split(".")[1]) % 3 == 0
            assert hit.image.modality == ("CT" if is_ct else "CR")
            assert hit.query_image is not None
            assert hit.query_image.modality == hit.image.modality
        assert len(answer.hits) == COUNT
        only = archive.ask("1.0", k=COUNT)
        assert {hit.image.modality for hit in only.hits} == {"CT"}


def test_a_study_of_several_images_stands_once_where_it_comes_first(engine: Engine) -> None:
    drawn = vectors(COUNT)
    with engine.connect() as connection:
        for at in range(0, COUNT, 3):
            add_study(connection, space(), f"1.{at // 3}", drawn[at : at + 3])
        archive = divide(connection)
        add_study(connection, space(), "2.1", vectors(1, seed=8))
        expected = expected_hits(archive, "2.1", ())
        assert [(h.study.study_instance_uid, h.way) for h in archive.ask("2.1").hits] == expected


def test_a_query_without_edges_gets_the_plain_nearest(archive: Divided) -> None:
    mean = np.mean(vectors(COUNT), axis=0)
    add_study(archive.connection, space(), "2.1", [unit(*-mean)])
    answer = archive.ask("2.1")
    assert answer.by_communities == ByCommunities("louvain", 0, COUNT, 0)
    assert {hit.way for hit in answer.hits} == {Way.NEAREST}
    assert uids(answer) == uids(archive.ask("2.1", strategy=Strategy.NEAREST))


def test_marks_move_it_and_what_was_marked_down_is_no_hit(archive: Divided) -> None:
    first, second, *_ = uids(archive.ask())
    wish = Wish(marks=Marks((second,), (first,)), strategy=Strategy.COMMUNITIES)
    asked = search.wished(
        archive.connection, archive.question(strategy=Strategy.NEAREST), wish, reader="ann"
    )
    answer = archive.answer(asked)
    (image,) = asked.images
    order = archive.found(image.sought, archive.of("1.0", "1.1", "1.2"))
    assert uids(answer) == [uid for uid, _ in order if uid != first][:10]
    assert answer.by_communities is not None


def test_slices_do_not_reorder_it(archive: Divided) -> None:
    assert archive.answer(archive.question(), rerank=10) == archive.ask()


def test_without_communities_the_remedy_is_told(archive: Divided) -> None:
    with pytest.raises(WishError, match=r"not divided into communities: set communities in"):
        search.answer(archive.connection, held(archive.connection), archive.question())


def test_the_audit_tells_it(archive: Divided) -> None:
    audit.record(archive.connection, archive.ask(), asked_by="cli")
    told = archive.connection.execute(text("SELECT asked_with FROM queries")).scalar_one()
    assert told["by_communities"].keys() == {"method", "edges", "vectors", "not_held"}


def test_leiden_is_told(archive: Divided) -> None:
    index = held(archive.connection)
    ids = index.ids()
    made = CommunityIndex.build(index.vectors(ids), ids, DEGREE, Method.LEIDEN)
    told = Divided(archive.connection, made).ask().by_communities
    assert told is not None
    assert told.method == "leiden"

"""Asking by communities, end to end: the node makes them, command line and HTTP tell of them."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from dicom_node.community_reader import CommunityReader, communities_told
from dicom_node.http.routes import archive_routes
from dicom_node.settings import IndexSettings, Settings
from dicom_node.settings_file import load_settings
from dicom_node.worker_loop import WorkerLoop
from dicom_node.worker_process import start_worker
from storage import embeddings, spaces
from storage.communities import kept
from storage.communities.kept import Kept
from storage.communities.searching import CommunityIndex
from storage.index import snapshot_path
from storage.search import WishError
from tests.dicom_node.archive_of_made import STUDIES, made_archive, settings_of
from tests.dicom_node.command_line import Likeness
from tests.dicom_node.http_doors import Door, running
from tests.dicom_node.objects import STUDY, radiograph, written
from tests.dicom_node.worked import running as at_work
from tests.storage.made import NODE, add_study, space, unit
from tests.waiting import wait_until

COUNT = 20
"""Two changes are a tenth of it: one more study does not have the communities made anew."""
ASKED = f"{STUDY}.1"
BY_COMMUNITIES = ("--strategy", "communities")


def _divided(settings_file: Path, settings: str = 'communities = "louvain"') -> Settings:
    """The settings with communities in them."""
    said = settings_file.read_text()
    lines = f"[index]\n{settings}\ncommunities_degree = 3\n"
    settings_file.write_text(said.replace("[[peers]]", f"{lines}[[peers]]"))
    return load_settings(settings_file, {})


def _written(folder: Path, number: int, patient: str | None = None) -> Path:
    """The file of a study of one image, which is like no other."""
    uid = f"{STUDY}.{number}"
    image = radiograph(f"{uid}.1.1", study=uid, PatientID=patient or f"P{number}")
    random = np.random.default_rng(number)
    rows, columns = np.mgrid[: image.Rows, : image.Columns] / image.Rows
    a, b, c = random.uniform(0.2, 6, size=3)
    wave = np.sin(a * rows + c) * np.cos(b * columns)
    image.PixelData = ((wave + 1) * 1000).astype(np.uint16).tobytes()
    return written(folder / f"{number}.dcm", image)


@pytest.fixture
def archive(
    likeness: Likeness, engine: Engine, settings_file: Path, tmp_path: Path
) -> Iterator[Settings]:
    """A node at work over studies of as many patients, but for the first two, of one."""
    settings = _divided(settings_file)
    patients = {2: "P1"}
    likeness("ingest", *(_written(tmp_path, n, patients.get(n)) for n in range(1, COUNT + 1)))
    with WorkerLoop(start_worker(engine, settings)) as loop, at_work(loop.run):
        wait_until(lambda: _status(likeness)["vectors"] == COUNT, "the communities")
        yield settings


def _status(likeness: Likeness) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(likeness("status", "--json").out)["communities"] or {
        "vectors": 0
    }
    return told


def _expected(engine: Engine, settings: Settings) -> tuple[list[tuple[str, str]], int]:
    """By ``CommunityIndex.search``: studies and ways of the hits of the first study; edges."""
    with engine.connect() as connection:
        known = spaces.known_in_use(connection)
        assert known is not None
        rows = connection.execute(
            text(
                "SELECT e.id, study_instance_uid AS uid, patient_id, vector FROM embeddings e "
                "JOIN studies s ON s.id = study_id"
            )
        ).all()
    path = kept.path_beside(snapshot_path(settings.index_folder, known.id))
    index = kept.load(path, known.id).index
    of = {row.id: row.uid for row in rows}
    (asked,) = (row.id for row in rows if row.uid == ASKED)
    own = [row.id for row in rows if row.patient_id == "P1"]
    query = index.vectors[index.keys.tolist().index(asked)]
    found = index.search(query, 10, own)
    return [(of[one.key], str(one.way)) for one in found.found], found.edges


def test_the_command_line_tells_hits_ways_and_edges(
    likeness: Likeness, engine: Engine, archive: Settings
) -> None:
    expected, edges = _expected(engine, archive)
    ran = likeness("search", ASKED, *BY_COMMUNITIES, "--json")
    found = json.loads(ran.out)
    assert [(hit["study_instance_uid"], hit["way"]) for hit in found["hits"]] == expected
    told = {"method": "louvain", "edges": edges, "vectors": COUNT, "not_held": 0}
    assert (found["strategy"], found["communities"]) == ("communities", told)
    assert [prior["study_instance_uid"] for prior in found["priors"]] == [f"{STUDY}.2"]
    grown = [way for _, way in expected].count("region")
    lines = likeness("search", ASKED, *BY_COMMUNITIES).out.splitlines()
    assert lines[1] == (
        f"Searched by communities (louvain), the query having {edges} edges: {grown} hits by "
        f"region, {10 - grown} as plain nearest."
    )
    assert lines[2].split()[:4] == ["rank", "percentile", "similarity", "way"]
    assert [line.split()[3] for line in lines[3:13]] == [way for _, way in expected]
    status = likeness("status").out
    assert f"of {COUNT} vectors (louvain, 3)" in status


def test_the_default_is_as_it_was(likeness: Likeness, archive: Settings) -> None:
    plain = likeness("search", ASKED, "--json").out
    assert plain == likeness("search", ASKED, "--json", "--strategy", "nearest").out
    found = json.loads(plain)
    assert not {"strategy", "communities"} & found.keys()
    assert all("way" not in hit for hit in found["hits"])


def test_what_came_since_asks_but_is_not_found(
    likeness: Likeness, engine: Engine, archive: Settings, tmp_path: Path
) -> None:
    new = f"{STUDY}.{COUNT + 1}"
    likeness("ingest", _written(tmp_path, COUNT + 1))

    def is_searched() -> bool:
        return bool(likeness("search", new, "--json").code == 0)

    wait_until(is_searched, "the new study's vector")
    found = json.loads(likeness("search", ASKED, *BY_COMMUNITIES, "-k", "99", "--json").out)
    assert new not in {hit["study_instance_uid"] for hit in found["hits"]}
    assert (found["communities"]["vectors"], found["communities"]["not_held"]) == (COUNT, 1)
    said = likeness("search", ASKED, *BY_COMMUNITIES).out
    assert "1 vectors came since they were made, and are not found." in said
    asking = json.loads(likeness("search", new, *BY_COMMUNITIES, "--json").out)
    assert (len(asking["hits"]), asking["communities"]["not_held"]) == (10, 0)
    outside = likeness("search", tmp_path / "3.dcm", *BY_COMMUNITIES, "--json")
    assert json.loads(outside.out)["strategy"] == "communities"


def test_without_them_the_setting_is_named(likeness: Likeness, engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
    said = likeness("search", "1.1", *BY_COMMUNITIES).could_not()
    assert said.startswith('there are no communities here: set communities = "louvain" in [index]')
    assert json.loads(likeness("status", "--json").out)["communities"] is None


@pytest.mark.parametrize("strategy", ["", "Communities", "kNN"])
def test_another_strategy_is_wrong_usage(likeness: Likeness, strategy: str) -> None:
    with pytest.raises(SystemExit) as ended:
        likeness("search", "1.1", "--strategy", strategy)
    assert ended.value.code == 2


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Settings:
    """Three studies, and settings that want communities; nobody made some."""
    made_archive(engine, tmp_path)
    index = IndexSettings(communities="leiden", communities_degree=2)
    return settings_of(tmp_path).model_copy(update={"index": index})


def _save(engine: Engine, settings: Settings, *, watermark: int | None = None) -> Path:
    """Communities of the space as it now is."""
    with engine.connect() as connection:
        ids = connection.execute(
            text("SELECT id FROM embeddings WHERE retired_at IS NULL ORDER BY id")
        ).scalars()
        keys = list(ids)
        vectors = np.stack([unit(1, number % 3 == 2, 0, 0) for number in range(len(keys))])
        last = embeddings.last_change(connection)
    path = kept.path_beside(snapshot_path(settings.index_folder, space().id))
    made = CommunityIndex.build(vectors, keys, 2)
    kept.save(path, Kept(made, space().id, last if watermark is None else watermark, 2))
    return path


def _refused(engine: Engine, settings: Settings) -> str:
    with engine.connect() as connection, pytest.raises(WishError) as refused:
        CommunityReader(settings).of(connection, space())
    return str(refused.value)


def test_none_yet_is_told(engine: Engine, made: Settings) -> None:
    why = "the node makes them beside its work, once the index holds more than 2 vectors"
    assert _refused(engine, made) == f"there are no communities yet: {why}"
    assert communities_told(made, space()) == {"vectors": 0, "communities": 0, "text": why}


@pytest.mark.parametrize("package", ["igraph", "leidenalg"])
def test_a_missing_extra_is_told(
    engine: Engine, made: Settings, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = _refused(engine, made)
    assert said.startswith(f"there are no communities yet: communities need {package}")
    assert said.endswith("pip install 'likeness-node[communities]'")
    told = communities_told(made, space())
    assert told is not None
    assert "likeness-node[communities]" in told["text"]


@pytest.mark.parametrize("package", ["igraph", "leidenalg"])
def test_to_ask_needs_no_extra(
    engine: Engine, made: Settings, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    _save(engine, made)
    monkeypatch.setitem(sys.modules, package, None)
    with engine.connect() as connection:
        assert CommunityReader(made).of(connection, space()).count == 3
    told = communities_told(made, space())
    assert told is not None
    assert told["vectors"] == 3
    assert told["text"].endswith("pip install 'likeness-node[communities]'")


def test_an_altered_file_is_told(engine: Engine, made: Settings) -> None:
    _save(engine, made).write_bytes(b"nonsense")
    assert _refused(engine, made).startswith("the communities cannot be used (its first line")
    told = communities_told(made, space())
    assert told is not None
    assert told["text"].startswith("they cannot be used: its first line")


def test_those_of_a_state_that_was_lost_are_not_used(engine: Engine, made: Settings) -> None:
    _save(engine, made, watermark=10**6)
    assert "that the database has lost" in _refused(engine, made)


def test_they_are_read_once_and_again_when_they_changed(engine: Engine, made: Settings) -> None:
    reader = CommunityReader(made)
    _save(engine, made)
    with engine.connect() as connection:
        first = reader.of(connection, space())
        assert reader.of(connection, space()) is first
    with engine.begin() as connection:
        add_study(connection, space(), "1.2.9", [unit(1, 0, 0, 0)])
    _save(engine, made)
    with engine.connect() as connection:
        assert reader.of(connection, space()).count == first.count + 1


@pytest.fixture
def door(engine: Engine, made: Settings, free_port: int) -> Iterator[Door]:
    """The HTTP service of these settings."""
    with running(engine, free_port, archive_routes(engine, made, node=NODE)) as opened:
        yield opened.with_token("tester")


def test_http_answers_by_communities(engine: Engine, made: Settings, door: Door) -> None:
    """All three are joined, so what is left of the region's communities comes by region."""
    _save(engine, made)
    path = f"/studies/{STUDIES[0]}/similar"
    answer = door.ask(f"{path}?strategy=communities").json()
    hits = [(hit["study_instance_uid"], hit["way"]) for hit in answer["hits"]]
    assert hits == [(STUDIES[1], "region"), (STUDIES[2], "region")]
    told = {"method": "louvain", "edges": 2, "vectors": 3, "not_held": 0}
    assert (answer["strategy"], answer["communities"]) == ("communities", told)
    plain = door.ask(path).json()
    assert door.ask(f"{path}?strategy=nearest").json() == plain
    assert door.ask(f"{path}?strategy=").json() == plain
    assert "strategy" not in plain
    filtered = door.ask(f"{path}?strategy=communities&sex=M").json()
    assert (filtered["hits"], filtered["communities"]["edges"]) == ([], 0)


def test_http_refuses_what_is_not_there(made: Settings, door: Door) -> None:
    path = f"/studies/{STUDIES[0]}/similar"
    status, says = door.ask(f"{path}?strategy=communities").refusal()
    assert (status, says[:29]) == (422, "there are no communities yet:")
    wrong = door.ask(f"{path}?strategy=graph").refusal()
    assert wrong == (422, "strategy: takes one of nearest, communities")
    assert door.asked_by() == []


def test_the_page_takes_no_strategy(door: Door) -> None:
    answer = door.ask(f"/ui/studies/{STUDIES[0]}?strategy=communities")
    assert answer.status == 422
    assert "no such parameter" in answer.body.decode()

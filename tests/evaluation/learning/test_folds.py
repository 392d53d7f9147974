"""Folds judged together: each image asks the encoder that never saw its patient."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders.encoder import EncoderError, EncoderOptions
from encoders.folders.told import WEIGHTS, read_told
from encoders.registry import create
from encoders.training.folding import folds_of
from evaluation.ablation.curves import Pool, ablation
from evaluation.collection import Collection, CollectionError
from evaluation.evaluating import System, judge
from evaluation.learning.folds import FOLDS, fold_folder, system_of_folds, write_folds
from evaluation.nearest import Neighbourhood
from evaluation.papers import table
from evaluation.probing.probes import knn_probe, linear_probe
from evaluation.readers import manifest
from evaluation.report.maps import MapError, tsne
from evaluation.systems.embedding import embed
from evaluation.systems.images import read_picture
from evaluation.systems.naming import system_of
from evaluation.systems.pairwise import ByVector
from evaluation.tasks import Rules, one_class
from tests.encoders.folders.made import change, folder
from tests.encoders.training.small import recipe
from tests.evaluation.learning.made import pictures
from tests.evaluation.papers import made

SEED, COUNT = 5, 3
OPTIONS = EncoderOptions(device="cpu")


def folds(place: Path, seed: int = SEED) -> Path:
    """Encoders with random weights in the place of trained ones."""
    encoders = [folder(fold_folder(place, at), seed=at) for at in range(COUNT)]
    digests = [read_told(one).weights_sha256 for one in encoders]
    write_folds(place, recipe(), digests, seed)
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folds(tmp_path_factory.mktemp("folds"))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return manifest.read(pictures(tmp_path_factory.mktemp("data") / "set"))


@pytest.fixture(scope="module")
def system(place: Path, collection: Collection, tmp_path_factory: pytest.TempPathFactory) -> System:
    return system_of(f"folds:{place}", collection, tmp_path_factory.mktemp("kept"), OPTIONS)


def by_brute_force(place: Path, collection: Collection, query: int, k: int) -> list[int]:
    """The nearest of a query by the encoder of its patient's fold alone."""
    own = int(folds_of([collection.patients[query]], COUNT, SEED)[0])
    encoder = create(f"folder:{fold_folder(place, own)}", OPTIONS)
    vectors = encoder.embed([read_picture(path) for path in collection.paths]).astype(np.float64)
    alike = [
        (-float(vectors[query] @ vectors[at]), at)
        for at in range(len(collection))
        if collection.patients[at] != collection.patients[query]
    ]
    return [at for _, at in sorted(alike)[:k]]


def test_each_query_is_answered_by_its_own_fold_s_encoder(
    place: Path, collection: Collection, system: System
) -> None:
    space = Neighbourhood(system.vectors, system.metric, asking=system.asking)
    run = space.nearest(7, apart=collection.patient_codes())
    for query in range(0, len(collection), 5):
        expected = by_brute_force(place, collection, query, 7)
        assert run.neighbours[query].tolist() == expected


def test_similarities_are_that_encoder_s_cosines(
    place: Path, collection: Collection, system: System, tmp_path: Path
) -> None:
    run = Neighbourhood(system.vectors, system.metric, asking=system.asking).nearest(
        1, apart=collection.patient_codes()
    )
    own = folds_of(collection.patients, COUNT, SEED)
    for at in range(COUNT):
        vectors = embed(collection, create(f"folder:{fold_folder(place, at)}", OPTIONS), tmp_path)
        for query in np.flatnonzero(own == at):
            cosine = float(vectors[query] @ vectors[run.neighbours[query, 0]])
            assert run.similarities[query, 0] == pytest.approx(cosine, abs=1e-5)


def test_they_are_judged_as_any_system(collection: Collection, system: System) -> None:
    task = one_class(collection, "site")
    judgement = judge(system, task, collection, Rules())
    assert judgement.system == "small"
    assert all(0 <= row.figure.value <= 1 for row in judgement.rows)


def test_folds_do_not_hang_on_the_selection(
    place: Path, collection: Collection, system: System, tmp_path: Path
) -> None:
    some = np.arange(0, len(collection), 3)
    fewer = system_of(f"folds:{place}", collection.take(some), tmp_path, OPTIONS)
    assert system.asking is not None
    assert fewer.asking is not None
    np.testing.assert_array_equal(fewer.asking != 0, system.asking[some] != 0)


def test_what_needs_one_vector_of_each_image_refuses(
    collection: Collection, system: System
) -> None:
    codes, everyone = collection.patient_codes(), np.arange(len(collection))
    pool = Pool(codes % 2, ("a", "b"), codes, codes, everyone, everyone)
    refused: list[tuple[str, Callable[[], object]]] = [
        ("a probe", lambda: knn_probe(system, None, None, codes)),  # type: ignore[arg-type]
        ("a probe", lambda: linear_probe(system, None, None, codes)),  # type: ignore[arg-type]
        ("an ablation", lambda: ablation(system, pool)),
        ("a comparison of pairs", lambda: ByVector.of(system)),
    ]
    for what, ask in refused:
        with pytest.raises(
            CollectionError,
            match=f"small: {what} needs one vector of each image.*folder:FOLDER/fold-0",
        ):
            ask()


def test_a_paper_s_table_refuses() -> None:
    weighed = made.collection((), np.empty((9, 0)), weights=[60.0 + at for at in range(9)])
    vectors = np.eye(9, dtype=np.float32)
    asking = System("small", vectors, asking=vectors)
    with pytest.raises(CollectionError, match="small: a paper's table needs one vector"):
        table("papers/1-weight-ndcg").run(weighed, [asking])


def test_a_map_refuses(collection: Collection, system: System) -> None:
    with pytest.raises(MapError, match=r"small has no map.*folder:FOLDER/fold-0"):
        tsne(system, np.arange(len(collection)), seed=0)


def _told(place: Path, **other: Any) -> None:
    told = json.loads((place / FOLDS).read_text())
    (place / FOLDS).write_text(json.dumps({**told, **other}))


def _no_file(place: Path) -> None:
    (place / FOLDS).unlink()


def _no_fold(place: Path) -> None:
    fold_folder(place, 1).rename(place / "elsewhere")


def _trained_again(place: Path) -> None:
    folder(fold_folder(place, 1), seed=99)


def _exchanged(place: Path) -> None:
    fold_folder(place, 0).rename(place / "kept")
    fold_folder(place, 1).rename(fold_folder(place, 0))
    (place / "kept").rename(fold_folder(place, 1))


def _damaged(place: Path) -> None:
    (fold_folder(place, 2) / WEIGHTS).write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_no_file, "folds.json cannot be read.*`likeness train RECIPE --folds K"),
        (_no_fold, "tells of a fold that is not whole: .*fold-1"),
        (_trained_again, "fold 1 of .* is not the one that was trained with the others"),
        (_exchanged, "fold 0, 1 of .* is not the one"),
        (_damaged, "SHA-256 differs"),
        (lambda place: _told(place, weights=["a"]), "is none of folds: weights"),
        (lambda place: _told(place, weights=[]), "is none of folds: weights"),
        (lambda place: _told(place, seed="x"), "is none of folds: seed"),
        (lambda place: _told(place, colour="red"), "is none of folds: colour"),
        (lambda place: (place / FOLDS).write_text("{"), "is none of folds: folds.json: Invalid"),
        (lambda place: change(fold_folder(place, 0), "dimension", to=0), "not whole.*dimension"),
    ],
)
def test_folds_that_are_not_whole(
    tmp_path: Path, collection: Collection, harm: Callable[[Path], object], message: str
) -> None:
    place = folds(tmp_path / "folds")
    harm(place)
    with pytest.raises((CollectionError, EncoderError), match=message):
        system_of_folds(f"folds:{place}", collection, tmp_path, OPTIONS)


def test_no_folder(tmp_path: Path, collection: Collection) -> None:
    with pytest.raises(CollectionError, match=r"folds.json cannot be read"):
        system_of_folds("folds:", collection, tmp_path, OPTIONS)

"""A recipe on a set, from pictures to an encoder folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from encoders.folders.told import CARD, TOLD, WEIGHTS, read_told
from encoders.networks.known import build
from encoders.training import training
from encoders.training.fault import TrainingError
from encoders.training.passing_on import Values
from encoders.training.recipe import Needed, Recipe
from encoders.training.training import CHECKPOINTS
from evaluation.collection import CollectionError
from evaluation.learning import running
from evaluation.learning.running import PARTS
from evaluation.readers import manifest
from tests.encoders.folders.made import folder
from tests.encoders.training.small import recipe
from tests.evaluation.learning.made import levels, pictures, quick, trained


def colour(at: int) -> Image.Image:
    gray = (levels(at) * 255).astype(np.uint8)
    return Image.fromarray(np.stack([gray, gray // 2, 255 - gray], axis=2))


def palette(at: int) -> Image.Image:
    return colour(at).convert("P")


def sixteen(at: int) -> Image.Image:
    return Image.fromarray((levels(at) * 65535).astype(np.uint16))


def see_through(at: int) -> Image.Image:
    return colour(at).convert("RGBA")


def mixed(at: int) -> Image.Image:
    return (colour, sixteen, palette, see_through)[at % 4](at)


def tiny(at: int) -> Image.Image:
    return Image.fromarray((levels(at)[: 1 + at % 3, : 1 + at % 2] * 255).astype(np.uint8))


def even(_: int) -> Image.Image:
    return Image.fromarray(np.full((20, 30), 77, np.uint8))


@pytest.mark.parametrize("draw", [colour, sixteen, mixed, tiny])
def test_pictures_of_any_kind_are_learned(
    tmp_path: Path, draw: Callable[[int], Image.Image]
) -> None:
    place = pictures(tmp_path / "set", draw, 24)
    product = trained(quick(), place, tmp_path / "out")
    assert {TOLD, WEIGHTS, CARD} <= {one.name for one in (tmp_path / "out").iterdir()}
    assert product.judged is not None
    assert product.fault == ""
    assert read_told(tmp_path / "out") == product.told


def test_images_that_are_all_the_same_give_chance(tmp_path: Path) -> None:
    product = trained(quick(), pictures(tmp_path / "set", even, 24), tmp_path / "out")
    assert product.judged is not None
    assert dict(product.judged.told)["auc"] == 0.5


@pytest.mark.parametrize(
    ("targets", "more", "measures"),
    [
        ({"aim": "labels", "names": []}, {}, ["auc", "f1"]),
        ({"aim": "number", "names": ["age"]}, {"loss": "l1", "monitor": "mae"}, ["mae"]),
        (
            {"aim": "class", "names": ["site"]},
            {"loss": "batch-all triplet", "monitor": "p@1", "head": "none"},
            [],
        ),
    ],
)
def test_every_aim_has_its_figures(
    tmp_path: Path, targets: dict[str, Any], more: dict[str, Any], measures: list[str]
) -> None:
    place = pictures(tmp_path / "set")
    told = recipe().model_dump()
    told["targets"] = targets
    told["loss"] = more.get("loss", "bce")
    told["network"]["head"] = more.get("head", "linear")
    told["schedule"] |= {"epochs": 1, "monitor": more.get("monitor", "auc")}
    product = trained(Recipe.model_validate(told), place, tmp_path / "out")
    assert product.judged is not None
    assert [name for name, _ in product.judged.told] == measures
    assert len(product.judged.rows)
    assert all(row.figure.queries > 0 for row in product.judged.rows)


def test_without_test_images_there_are_no_figures(tmp_path: Path) -> None:
    asked = quick(schedule={"epochs": 1, "parts": [0.8, 0.2, 0]})
    product = trained(asked, pictures(tmp_path / "set"), tmp_path / "out")
    assert product.judged is None
    assert "No images were kept to ask with" in (tmp_path / "out" / CARD).read_text()


def test_the_set_s_own_split_is_taken(tmp_path: Path) -> None:
    columns = ("file", "patient_id", "labels", "split")
    place = pictures(tmp_path / "set", columns=columns)
    product = trained(quick(), place, tmp_path / "out", split="official")
    assert product.told.made["split"] == "as the set's makers part it"
    assert (
        "Learned: 24; chose the epoch: 8; asked at the end: 16"
        in (tmp_path / "out" / CARD).read_text()
    )


def test_a_second_run_of_the_same_changes_nothing(tmp_path: Path) -> None:
    place = pictures(tmp_path / "set")
    first = trained(quick(), place, tmp_path / "out")
    weights = (tmp_path / "out" / WEIGHTS).read_bytes()
    told: list[int] = []
    again = trained(quick(), place, tmp_path / "out")
    assert again == first
    assert not told
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == weights


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    place = pictures(tmp_path / "set", count=24)
    trained(quick(), place, tmp_path / "out")
    with pytest.raises(TrainingError, match=r"is of another run .recipe small .* --again"):
        trained(quick(optimiser={"rate": 0.5}), place, tmp_path / "out")


def _unlabelled(place: Path) -> None:
    text = (place / "manifest.csv").read_text()
    (place / "manifest.csv").write_text(text.replace("bright", "No Finding"))


def _all_labelled(place: Path) -> None:
    text = (place / "manifest.csv").read_text()
    (place / "manifest.csv").write_text(text.replace("No Finding", "bright"))


def _one_patient(place: Path) -> None:
    lines = (place / "manifest.csv").read_text().splitlines()
    told = [lines[0]] + [",".join(["p" if at == 1 else cell for at, cell in
                                   enumerate(line.split(","))]) for line in lines[1:]]  # fmt: skip
    (place / "manifest.csv").write_text("\n".join(told) + "\n")


def _no_column(place: Path) -> None:
    text = (place / "manifest.csv").read_text()
    (place / "manifest.csv").write_text(text.replace("labels", "lables"))


def _no_manifest(place: Path) -> None:
    (place / "manifest.csv").unlink()


def _no_image(place: Path) -> None:
    (place / "7.png").unlink()


def _no_picture(place: Path) -> None:
    (place / "7.png").write_bytes(b"no picture at all")


def _cut_short(place: Path) -> None:
    content = (place / "7.png").read_bytes()
    (place / "7.png").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_unlabelled, "no label bright"),
        (_all_labelled, "bright has no negative image"),
        (_one_patient, "set has 1 patients, too few for 3 parts"),
        (_no_column, "has no column 'labels'"),
        (_no_manifest, "no manifest"),
        (_no_image, "7.png"),
        (_no_picture, "7.png is neither DICOM nor a picture"),
        (_cut_short, "7.png cannot be read"),
    ],
)
def test_sets_that_do_not_serve(tmp_path: Path, harm: Callable[[Path], None], message: str) -> None:
    place = pictures(tmp_path / "set", count=24)
    harm(place)
    with pytest.raises((TrainingError, CollectionError), match=message):
        trained(quick(), place, tmp_path / "out")
    assert not (tmp_path / "out" / TOLD).exists()


def whole_of(*names: str) -> Recipe:
    """The small networks of other recipes side by side."""
    member = {"builder": "vit", "pooling": "class token", "config": recipe().network.config}
    told = recipe(schedule={"epochs": 0}).model_dump()
    told["name"] = "both"
    told["network"] = {
        "builder": "ensemble",
        "config": {"members": [member] * len(names)},
        "pooling": "concatenated",
        "dimension": 16 * len(names),
        "head": "none",
    }
    told["needs"] = [
        Needed(recipe=name, body=f"members.{at}.").model_dump() for at, name in enumerate(names)
    ]
    return Recipe.model_validate(told)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes ``one`` and ``other``, which are not among those of Likeness."""
    made = {
        "one": quick().model_copy(update={"name": "one"}),
        "other": quick(targets={"names": ["dark"], "undersample": True}).model_copy(
            update={"name": "other"}
        ),
    }
    monkeypatch.setattr(running, "read_recipe", made.__getitem__)


def dark(folder: Path) -> Path:
    """A set in which half of the patients are told to be dark or not."""
    place = pictures(folder)
    lines = (place / "manifest.csv").read_text().splitlines()
    for at, line in enumerate(lines[1:], start=1):
        cells = line.split(",")
        if at % 4 == 1:
            cells[2] = "dark"
        lines[at] = ",".join(cells)
    (place / "manifest.csv").write_text("\n".join(lines) + "\n")
    return place


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("more", [{}, {"fold": (1, 2)}, {"split": "image"}])
def test_parts_are_trained_first_and_never_meet_who_is_asked(
    tmp_path: Path, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    met: dict[str, set[str]] = {}

    def watched(asked: Recipe, shown: Any, *rest: Any) -> Any:
        found = training.train(asked, shown, *rest)
        names = found.examples.ids if more.get("split") == "image" else found.examples.patients
        learned = [*found.split.train, *found.split.validation]
        met[asked.name] = {
            names[at] for at in (found.split.test if found.ended is None else learned)
        }
        return found

    monkeypatch.setattr(running, "train", watched)
    product = trained(whole_of("one", "other"), dark(tmp_path / "set"), tmp_path / "out", **more)
    assert met["both"]
    assert not met["both"] & (met["one"] | met["other"])
    tensors = load_file(tmp_path / "out" / WEIGHTS)
    for at, name in enumerate(("one", "other")):
        part = load_file(tmp_path / "out" / PARTS / name / WEIGHTS)
        assert torch.equal(tensors[f"members.{at}.norm.weight"], part["norm.weight"])
    assert product.told.outputs == ()
    assert product.why == "put together, nothing to learn"
    assert "too good" not in (tmp_path / "out" / CARD).read_text()


@pytest.mark.usefixtures("parts")
def test_own_values_reach_the_parts_or_are_refused_before_any_is_trained(tmp_path: Path) -> None:
    place = dark(tmp_path / "set")
    own: Values = {"preprocessing": {"mean": [0.4]}, "targets": {"uncertain": "positive"}}
    trained(whole_of("one", "other"), place, tmp_path / "out", own=own)
    for folder_ in (tmp_path / "out", *(tmp_path / "out" / PARTS).iterdir()):
        assert read_told(folder_).preprocessing.mean == (0.4,)
    with pytest.raises(TrainingError, match=r"made of other, which has targets\.names of its own"):
        trained(
            whole_of("one", "other"),
            place,
            tmp_path / "again",
            own={"targets": {"names": ["dark"]}},
        )
    assert not (tmp_path / "again" / PARTS).exists()


@pytest.mark.usefixtures("parts")
def test_given_parts_are_taken_and_told(tmp_path: Path) -> None:
    given = {
        name: folder(tmp_path / name, recipe().model_copy(update={"name": name}))
        for name in ("one", "other")
    }
    product = trained(
        whole_of("one", "other"), pictures(tmp_path / "set"), tmp_path / "out", needed=given
    )
    assert not (tmp_path / "out" / PARTS).exists()
    digest = read_told(given["one"]).weights_sha256
    assert product.told.made["made of one"] == f"one, weights {digest[:16]}"
    card = (tmp_path / "out" / CARD).read_text()
    assert "encoders that were trained before (one, other)" in card
    assert "these figures are too good" in card


def test_what_would_be_of_no_use_is_refused(tmp_path: Path) -> None:
    place = pictures(tmp_path / "set", count=24)
    one = folder(tmp_path / "one", recipe().model_copy(update={"name": "one"}))
    asked = whole_of("one")
    init = tmp_path / "init.safetensors"
    network = recipe().network
    save_file(build(network.builder, network.config, network.pooling).body.state_dict(), init)
    for given, message in (
        ({"needed": {"two": one}}, "both is made of one, and not of two: leave --part out"),
        ({"needed": {"one": one}, "fold": (0, 2)}, "has learned patients of every fold"),
        ({"needed": {"one": one}, "init": init}, "nothing is left to begin with --init"),
    ):
        with pytest.raises(TrainingError, match=message):
            trained(asked, place, tmp_path / "out", **given)
    with pytest.raises(TrainingError, match="small is made of no other, and not of one"):
        trained(quick(), place, tmp_path / "out", needed={"one": one})


def test_the_same_weights_whether_read_by_others_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = pictures(tmp_path / "set", count=24)
    first = trained(quick(), place, tmp_path / "one")
    monkeypatch.setattr("encoders.training.reading.ENOUGH", 0)
    other = trained(quick(), place, tmp_path / "two")
    assert other.told.weights_sha256 == first.told.weights_sha256


def test_an_image_that_cannot_be_read_is_told_by_processes_that_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = pictures(tmp_path / "set", count=24)
    _no_picture(place)
    monkeypatch.setattr("encoders.training.reading.ENOUGH", 0)
    with pytest.raises(CollectionError, match=r"7.png is neither DICOM nor a picture") as fault:
        trained(quick(), place, tmp_path / "out")
    assert "Traceback" not in str(fault.value)


def test_where_nothing_can_be_asked_the_encoder_is_there_without_figures(tmp_path: Path) -> None:
    """Of the images that ask none is of a class that another patient's image has."""
    columns = ("file", "patient_id", "labels", "split")
    place = pictures(tmp_path / "set", columns=columns)
    text = (place / "manifest.csv").read_text().splitlines()
    told = [
        line.replace("bright", "No Finding") if line.endswith(",test") else line for line in text
    ]
    (place / "manifest.csv").write_text("\n".join(told) + "\n")
    product = trained(quick(), place, tmp_path / "out", split="official")
    assert product.judged is not None
    assert np.isnan(dict(product.judged.told)["auc"])
    assert "auc -" in (tmp_path / "out" / CARD).read_text()


def test_checkpoints_lie_beside_the_encoder(tmp_path: Path) -> None:
    trained(quick(), pictures(tmp_path / "set", count=24), tmp_path / "out")
    names = {one.name for one in (tmp_path / "out" / CHECKPOINTS).iterdir()}
    assert names == {"last.ckpt", "best.ckpt"}
    assert manifest.TABLE == "manifest.csv"

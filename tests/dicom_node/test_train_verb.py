"""``likeness train``, and encoder folders at the node, from the command line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from sqlalchemy import Engine

from dicom_node.cli import main
from encoders import extras
from encoders.folders.told import CARD, TOLD, WEIGHTS, read_told
from encoders.networks.known import build
from encoders.training.recipe_files import names
from encoders.training.training import CHECKPOINTS
from evaluation.learning.folds import FOLDS
from tests.dicom_node.command_line import Likeness, Ran
from tests.encoders.folders.made import change, folder
from tests.encoders.training.small import recipe
from tests.evaluation.learning.made import pictures
from tests.waiting import wait_until

RECIPE = """
name = "small"
summary = "a small transformer"
source = "nobody"
loss = "bce"
[targets]
aim = "label"
names = ["bright"]
[network]
builder = "vit"
pooling = "class token"
dimension = 16
[network.config]
in_channels = 1
img_size = 32
patch_size = 16
hidden_size = 16
mlp_dim = 16
num_layers = 1
num_heads = 2
dropout_rate = 0.1
[preprocessing]
size = 32
resize = "square"
mean = [0.5]
std = [0.25]
[augmentation]
flip = 0.5
rotate = 5
[optimiser]
name = "adam"
rate = 0.01
[schedule]
epochs = 1
batch = 8
monitor = "auc"
[smoke]
schedule.images = 16
"""


@pytest.fixture
def young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Likeness:
    """Runs the command in an empty folder, for a node that never ran."""
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "alone.toml"
    settings.write_text("data_folder = 'alone'")

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main(["--settings", str(settings), *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The set, beside the recipe."""
    (tmp_path / "small.toml").write_text(RECIPE)
    return pictures(tmp_path / "set", count=32)


def told(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out, parse_constant=_no_json)
    return found


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_the_recipes_are_listed(young: Likeness) -> None:
    ran = young("train", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines()] == list(names())
    whole = told(young("train", "--list", "--json"))
    assert [one["name"] for one in whole] == list(names())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a recipe and --data are needed; --list shows the recipes"),
        (("p2-xmir",), "a recipe and --data are needed"),
        (("--data", "set"), "a recipe and --data are needed"),
        (("p2-xmir", "--data", "set", "--folds", "1"), "--folds 1: .* two at least"),
        (("p2-xmir", "--data", "set", "--folds", "0"), "must be at least 1"),
        (("p2-xmir", "--data", "set", "--folds", "3", "--split", "image"), "leave --split out"),
        (("p2-xmir", "--data", "set", "--split", "x"), "invalid choice: 'x'"),
        (("p2-xmir", "--data", "set", "--precision", "64"), "invalid choice"),
        (("p2-xmir", "--data", "set", "--seed", "x"), "invalid seed value"),
        (("p2-xmir", "--data", "set", "--seed", "-1"), "must be from 0 to 4294967295"),
        (("p2-xmir", "--data", "set", "--label-set", "x"), "invalid choice"),
    ],
)
def test_misuse_is_told(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    assert ended.value.code == 2
    assert re.search(said, capsys.readouterr().err)


HELP = """
import sys
from dicom_node.cli import main
try:
    main(["train", "--help"])
finally:
    sys.exit("torch" in sys.modules or "pytorch_lightning" in sys.modules)
"""


def test_help_needs_no_torch() -> None:
    ran = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "--folds K" in ran.stdout


def test_without_the_extra_the_remedy_is_told(
    young: Likeness, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "absent", lambda package: package == "pytorch_lightning")
    fault = young("train", "small.toml", "--data", place).could_not()
    assert fault == ("there is no package pytorch_lightning (pip install 'likeness-node[train]')")
    assert young("train", "--list").code == 0


def test_a_recipe_becomes_an_encoder_with_figures_and_a_card(young: Likeness, place: Path) -> None:
    ran = young("train", "small.toml", "--data", place, "--seed", "3")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "small: epoch 1 of 1; all epochs done"
    assert lines[-1] == f"  the encoder: folder:{Path.cwd()}/small"
    assert any("p@1" in line and "at chance" in line for line in lines)
    assert {TOLD, WEIGHTS, CARD} <= {one.name for one in Path("small").iterdir()}
    assert read_told(Path("small")).made["seed"] == "3"


def test_what_came_of_it_as_json(young: Likeness, place: Path) -> None:
    [found] = told(young("train", "small.toml", "--data", place, "--json", "-o", "out"))
    assert found["weights_sha256"] == read_told(Path("out")).weights_sha256
    assert (found["name"], found["epoch"], found["fault"]) == ("small", 1, "")
    assert {"auc", "f1"} == set(found["head"])
    assert {"p@1"} <= {row["measure"] for row in found["retrieval"]}


def test_figures_that_are_none_are_null(young: Likeness, place: Path) -> None:
    """Of the images that ask none is bright: nobody can tell an AUC."""
    lines = (place / "manifest.csv").read_text().splitlines()
    rows = [f"{lines[0]},split"]
    for at, line in enumerate(lines[1:]):
        part = "test" if at >= 24 else ("val" if at >= 18 else "train")
        rows.append(f"{line.replace('bright', 'No Finding') if part == 'test' else line},{part}")
    (place / "manifest.csv").write_text("\n".join(rows) + "\n")
    [found] = told(young("train", "small.toml", "--data", place, "--split", "official", "--json"))
    assert found["head"]["auc"] is None


def test_values_of_the_recipe_are_set(young: Likeness, place: Path) -> None:
    sets = (
        "network.config.hidden_size=8", "network.config.mlp_dim=8", "network.dimension=8",
        "optimiser.name=sgd", "schedule.epochs=2", "optimiser.rate=1e-3",
    )  # fmt: skip
    arguments = [one for given in sets for one in ("--set", given)]
    [found] = told(young("train", "small.toml", "--data", place, "--json", *arguments))
    config = read_told(Path("small")).config
    assert (config["hidden_size"], config["mlp_dim"], config["num_heads"]) == (8, 8, 2)
    assert len(found["history"]) == 2


def test_a_teacher_is_learned_beside_the_labels(young: Likeness, place: Path) -> None:
    (place.parent / "said.csv").write_text("image,prob_dim\n0.png,0.8\n1.png,0.1\n3.png,0.2\n")
    asked = ("--set", "targets.teacher=true", "--set", 'targets.beside=["site=a"]')
    loss = ("--set", "network.head=linear and vector")
    own = place.parent / "taught.toml"
    own.write_text('extends = "small.toml"\nname = "taught"\nloss = "distilled"\n')
    ran = young("train", "taught.toml", "--data", place, *asked, *loss, "--teacher", "said.csv")
    assert ran.code == 0, ran.err
    told = read_told(place.parent / "taught")
    assert told.outputs == ("bright", "site=a", "teacher: dim")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--set", "optimiser.rate"), "--set optimiser.rate: not TABLE.KEY=VALUE"),
        (("--set", ""), "--set : not TABLE.KEY=VALUE"),
        (("--set", "=1"), "not TABLE.KEY=VALUE"),
        (("--set", "rate=1"), "not TABLE.KEY=VALUE"),
        (("--set", "optimizer.rate=1"), "recipe small has no table 'optimizer'"),
        (("--set", "name.x=1"), "recipe small has no table 'name'"),
        (("--set", "optimiser.speed=1"), "optimiser.speed: Extra inputs"),
        (("--set", "optimiser.rate=fast"), "optimiser.rate: .*valid number"),
        (("--set", "optimiser.rate=-1"), "optimiser.rate: .*greater than 0"),
        (("--set", "optimiser.rate=nan"), "optimiser.rate: .*finite"),
        (("--set", "optimiser.rate=1\nname='x'"), "not TABLE.KEY=VALUE"),
        (("--set", "schedule.epochs=-1"), "schedule.epochs"),
        (("--set", "schedule.epochs=[1"), "schedule.epochs"),
        (("--set", "network.builder=os:system"), "no network 'os:system'"),
        (("--set", "network.config.num_heads=3"), "network vit: .*look at its config"),
        (("--set", "network.config.num_heads=nan"), "network.config"),
        (("--set", "preprocessing.size=48"), "does not go through its network and head"),
        (("--target", "dim"), "has no label dim; it has bright"),
        (("--target", "a", "--target", "b"), "a label is one name, not 2"),
        (("--label-set", "thakrar3"), "lacks Cardiomegaly"),
        (("--part", "one"), "--part one: not RECIPE=FOLDER"),
        (("--part", "=x"), "--part =x: not RECIPE=FOLDER"),
        (("--part", "one=x"), "small is made of no other, and not of one: leave --part out"),
        (("--init", "nothing.safetensors"), "--init: .*nothing.safetensors cannot be read"),
        (("--split", "official"), "no split of its own"),
        (("--where", "site=q"), "site"),
        (("--where", "sight=a"), "sight"),
        (("--boxes", "nothing.csv"), "nothing.csv"),
        (("--folds", "40"), "fold 0 of 40 cannot be made of 16 patients"),
        (("--device", "cuda"), "cuda|CUDA|GPU"),
        (("--teacher", "nothing.csv"), "nothing.csv"),
        (("--teacher", "set/manifest.csv"), "no column of probabilities"),
        (("--teacher", "said.csv"), "recipe small learns of no teacher: leave --teacher out"),
        (("--set", "targets.teacher=true"), "give what it says with --teacher FILE"),
        (("--set", 'targets.beside=["site"]'), "'site' is not COLUMN=VALUE"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    young: Likeness, place: Path, given: tuple[str, ...], said: str
) -> None:
    if "cuda" in given and torch.cuda.is_available():
        pytest.skip("here is a GPU")
    (place.parent / "said.csv").write_text("image,prob_bright\n0.png,0.1\n1.png,0.8\n")
    fault = young("train", "small.toml", "--data", place, *given).could_not()
    assert re.search(said, fault), fault


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("p2-xmr", "there is no recipe 'p2-xmr'; did you mean p2-xmir"),
        ("nowhere.toml", "recipe nowhere.toml cannot be read"),
        ("set", "there is no recipe 'set'"),
        ("../small", "there is no recipe '../small'"),
        ("set/0.png", "there is no recipe"),
        ("long.toml", "long.toml: name: .*at most 64"),
    ],
)
def test_a_recipe_that_is_none(young: Likeness, place: Path, name: str, said: str) -> None:
    (place.parent / "long.toml").write_text(RECIPE.replace('"small"', f'"{"s" * 65}"'))
    assert re.search(said, young("train", name, "--data", place).could_not())


@pytest.mark.parametrize("where", ["nowhere", "small.toml"])
def test_a_set_that_is_none(young: Likeness, place: Path, where: str) -> None:
    assert where in young("train", "small.toml", "--data", where).could_not()


def test_a_folder_that_cannot_be_written(young: Likeness, place: Path) -> None:
    Path("out").touch()
    assert "out" in young("train", "small.toml", "--data", place, "-o", "out").could_not()


def test_files_that_it_begins_with_must_fit(young: Likeness, place: Path) -> None:
    asked = recipe(network={"config": {**recipe().network.config, "mlp_dim": 32}}).network
    save_file(build(asked.builder, asked.config, asked.pooling).body.state_dict(), "wide.st")
    fault = young("train", "small.toml", "--data", place, "--init", "wide.st").could_not()
    assert "wide.st does not fit the network: of another shape: blocks.0.mlp.linear1.bias" in fault


def test_of_another_seed_nothing_is_gone_on_with(young: Likeness, place: Path) -> None:
    assert young("train", "small.toml", "--data", place).code == 0
    fault = young("train", "small.toml", "--data", place, "--seed", "1").could_not()
    assert "is of another run (seed 0 instead of 1)" in fault
    assert "--again" in fault
    assert young("train", "small.toml", "--data", place, "--seed", "1", "--again").code == 0


def test_to_begin_again_removes_no_more_than_its_own(young: Likeness, place: Path) -> None:
    others = [
        Path("out") / CHECKPOINTS / "mine.ckpt",
        Path("out/parts/letter.txt"),
        Path("out/fold-0/parts/x/checkpoints/mine"),
        Path("out/notes"),
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    told(young("train", "small.toml", "--data", place, "-o", "out", "--json"))
    told(young("train", "small.toml", "--data", place, "-o", "out", "--json", "--again"))
    assert all(path.read_text() == "mine" for path in others)


def test_folds_are_trained_and_judged_together(young: Likeness, place: Path) -> None:
    found = told(young("train", "small.toml", "--data", place, "--folds", "2", "-o", "k", "--json"))
    assert [Path(one["folder"]).name for one in found] == ["fold-0", "fold-1"]
    assert json.loads((Path("k") / FOLDS).read_text()) == {
        "recipe": "small",
        "seed": 0,
        "weights": [one["weights_sha256"] for one in found],
    }
    asked = ("evaluate", place, "--encoder", "folds:k", "-o", "report", "--classes", "site")
    ran = young(*asked, "--no-maps")
    assert ran.code == 0, ran.err
    assert "32 queries of 16 patients" in ran.out
    # before anything is embedded
    Path("k/fold-1/model.safetensors").rename("gone")
    probed = young(*asked, "--make-splits", "--probe", "knn").could_not()
    assert "folds:k: a probe needs one vector of each image" in probed
    ablated = young(*asked, "--ablation", "2", "--ablation-queries", "3").could_not()
    assert "folds:k: an ablation needs one vector of each image" in ablated
    Path("gone").rename("k/fold-1/model.safetensors")
    again = ("train", "small.toml", "--data", place, "--folds", "2", "-o", "k")
    assert young(*again, "--seed", "1", "--again", "--device", "cpu").code == 0
    assert young(*asked, "--no-maps").code == 0
    shutil.copytree("k/fold-0", "k/fold-1", dirs_exist_ok=True)
    assert "fold 1 of k is not the one" in young(*asked, "--no-maps").could_not()


def test_a_killed_run_goes_on_to_the_same_weights(young: Likeness, place: Path) -> None:
    """SIGKILL of the real process, as soon as an epoch is whole."""
    long = ("train", "small.toml", "--data", str(place), "--set", "schedule.epochs=6", "--set",
            "optimiser.rate=1e-3", "--set", "schedule.monitor=loss", "--device", "cpu")  # fmt: skip
    [whole] = told(young(*long, "-o", "whole", "--json"))
    last = Path("killed") / CHECKPOINTS / "last.ckpt"
    script = "from dicom_node.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    running = subprocess.Popen(
        [sys.executable, "-c", script, "--settings", "alone.toml", *long, "-o", "killed"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_until(lambda: last.exists() or running.poll() is not None, "a checkpoint")
    finally:
        running.send_signal(signal.SIGKILL)
        _, said = running.communicate()
    assert last.exists(), said.decode()
    [found] = told(young(*long, "-o", "killed", "--json"))
    assert found["weights_sha256"] == whole["weights_sha256"]
    assert found["history"] == whole["history"]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return folder(tmp_path / "made" / "small")


def test_an_encoder_folder_is_shown(young: Likeness, encoder: Path) -> None:
    ran = young("encoders", "show", "folder:made/small", "--json")
    found = json.loads(ran.out)
    assert (found["name"], found["dimension"], found["in_use"]) == ("small", 16, False)
    assert found["source"] == {"folder": "made/small"}
    assert found["missing"] == []
    assert len(found["space"]) == 16
    assert found["weights"]["sha256"] == read_told(encoder).weights_sha256
    assert "a small transformer" in young("encoders", "show", "folder:made/small").out
    assert "cannot be read" in young("encoders", "show", "folder:made").could_not()


def test_the_settings_name_a_folder_beside_them(
    young: Likeness, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alone.toml").write_text(
        "data_folder = 'alone'\n[encoder]\nname = 'folder:made/small'\n"
    )
    monkeypatch.chdir("/")
    rows = {row["name"]: row for row in json.loads(young("encoders", "list", "--json").out)}
    name = f"folder:{encoder}"
    assert (rows[name]["state"], rows[name]["dimension"]) == ("in use", 16)
    assert rows[name]["summary"] == "a small transformer"
    assert json.loads(young("encoders", "show", name, "--json").out)["in_use"] is True
    (encoder / WEIGHTS).unlink()
    rows = {row["name"]: row for row in json.loads(young("encoders", "list", "--json").out)}
    assert "copy the whole folder" in rows[name]["missing"][0]
    shutil.rmtree(encoder)
    rows = {row["name"]: row for row in json.loads(young("encoders", "list", "--json").out)}
    assert "cannot be read" in rows[name]["missing"][0]
    assert rows[name]["state"].startswith("in use, needs its folder")


def test_weights_beside_a_folder_s_own_are_refused(
    young: Likeness, encoder: Path, tmp_path: Path
) -> None:
    (tmp_path / "alone.toml").write_text(
        "data_folder = 'alone'\n[encoder]\nname = 'folder:made/small'\nweights = 'x.safetensors'\n"
    )
    [row] = [
        row
        for row in json.loads(young("encoders", "list", "--json").out)
        if row["name"] == f"folder:{encoder}"
    ]
    assert "remove encoder.weights" in row["missing"][0]
    fault = young("encoders", "check", f"folder:{encoder}").could_not()
    assert "leave for other weights than its folder's" in fault


def test_an_archive_is_changed_over_to_a_folder(
    likeness: Likeness, engine: Engine, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(encoder.parent)
    ran = likeness("encoders", "add", "folder:small")
    assert "(small) answers now" in ran.out, ran.err
    assert "(small) answers already" in likeness("encoders", "add", f"folder:{encoder}").out
    rows = {row["name"]: row for row in json.loads(likeness("encoders", "list", "--json").out)}
    assert rows[f"folder:{encoder}"]["in_use"] is True
    change(encoder, "config", "num_heads", to=4)
    assert "answers already" not in likeness("encoders", "add", f"folder:{encoder}").out

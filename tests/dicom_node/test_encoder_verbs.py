"""The verbs of encoders in this process: list, show, fetch, check, convert."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.utils
import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import load_file, save_file
from sqlalchemy import Engine

from dicom_node.cli import main
from dicom_node.verbs.encoder_rows import Row
from dicom_node.verbs.encoder_text import facts, table
from encoders.registry import create, declarations, forms
from storage import spaces
from storage.spaces import Maker
from tests.dicom_node.command_line import Likeness, Ran
from tests.encoders import hub_server
from tests.storage.made import space

CONTENT = b"no weights at all" * 9
NAME, REPOSITORY = "dinov2-small", "facebook/dinov2-small"


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Settings of a node that never ran: no database."""
    path = tmp_path / "alone.toml"
    path.write_text("data_folder = 'alone'")
    return path


@pytest.fixture
def young(alone: Path, capsys: pytest.CaptureFixture[str]) -> Likeness:
    """Runs the command for that node."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main(["--settings", str(alone), *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    with hub_server.running(hub_server.Hub(repository=REPOSITORY)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("NO_PROXY", "*")
        served.publish(CONTENT)
        yield served
    huggingface_hub.utils.close_session()


@pytest.fixture(scope="module")
def densenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    save_file(DenseNet121(spatial_dims=2, in_channels=1, out_channels=2).state_dict(), path)
    return path


def test_the_list_says_of_each_what_it_is_and_lacks(young: Likeness) -> None:
    ran = young("encoders", "list", "--json")
    rows = {row["name"]: row for row in json.loads(ran.out)}
    assert (list(rows), ran.err) == ([entry.name for entry in declarations()], "")
    assert (rows["baseline"]["state"], rows["baseline"]["size"]) == ("in use", None)
    assert rows["monai-densenet121"]["state"] == "needs a file of yours"
    gated = rows["medsiglip-448"]
    assert (gated["gated"], gated["dimension"], gated["size"]) == (True, 1152, 448)
    assert gated["modalities"][:3] == ["CR", "DX", "CT"]
    assert gated["needs"][-1] == "fetch (terms)"
    assert "likeness encoders fetch medsiglip-448" in gated["missing"][-1]


def test_weights_of_the_settings_are_those_of_one_encoder(
    young: Likeness, alone: Path, densenet: Path
) -> None:
    alone.write_text(f"[encoder]\nname = 'monai-densenet121'\nweights = '{densenet}'")
    rows = json.loads(young("encoders", "list", "--json").out)
    states = {row["name"]: row["state"] for row in rows}
    assert states["monai-densenet121"] == "in use"
    assert states["monai-resnet50"] == "needs a file of yours"


def test_an_encoder_of_a_library_is_listed_without_it(young: Likeness, alone: Path) -> None:
    alone.write_text("[encoder]\nname = 'timm:convnext_tiny'")
    rows = json.loads(young("encoders", "list", "--json").out)
    (used,) = (row for row in rows if row["in_use"])
    assert used["name"] == "timm:convnext_tiny"
    (form,) = (form for form in forms() if form.prefix == "timm:")
    assert used["summary"] == form.summary


def test_the_archive_knows_which_is_in_use(
    likeness: Likeness, engine: Engine, densenet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with engine.begin() as connection:
        spaces.use(connection, space(), Maker("monai-densenet121", str(densenet)))
    rows = json.loads(likeness("encoders", "list", "--json").out)
    states = {row["name"]: row["state"] for row in rows}
    assert (states["monai-densenet121"], states["baseline"]) == ("in use", "ready")
    assert "* monai-densenet121 " in likeness("encoders", "list").out


def test_an_archive_that_does_not_answer_is_told(
    young: Likeness, alone: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    alone.write_text(f"database_url = 'postgresql://likeness@127.0.0.1:{free_port}/likeness'")
    ran = young("encoders", "list")
    assert (ran.code, ran.out.splitlines()[1].split()[:2]) == (0, ["*", "baseline"])
    assert re.search(r"not asked \(.*\): in use is what the settings name", ran.err)


def test_an_archive_whose_database_sleeps_is_not_woken(young: Likeness, alone: Path) -> None:
    (alone.parent / "alone" / "postgres").mkdir(parents=True)
    assert "its database is not running" in young("encoders", "list").err


@pytest.mark.parametrize("width", [30, 60, 80, 100, 132, 250])
def test_the_list_fits_the_terminal(
    young: Likeness, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = young("encoders", "list").out.splitlines()
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert words >= {entry.name for entry in declarations()}


def made_row(**changes: object) -> Row:
    row = {
        "name": "made",
        "in_use": False,
        "summary": "",
        "dimension": 12,
        "size": 224,
        "modalities": ("CR", "DX", "MG", "RF"),
        "licence": "MIT",
        "gated": False,
        "missing": (),
        "needs": (),
    }
    return Row(**{**row, **changes})  # type: ignore[arg-type]


def test_a_table_wraps_its_cells() -> None:
    rows = [made_row(), made_row(name="other", in_use=True, size=None, needs=("fetch",))]
    assert table(rows, 78).splitlines() == [
        "  NAME   DIMENSION  INPUT  MODALITIES      LICENCE  STATE",
        "  made   12         224    CR, DX, MG, RF  MIT      ready",
        "* other  12         -      CR, DX, MG, RF  MIT      in use, needs fetch",
    ]


def test_facts_have_a_line_each() -> None:
    told = {
        "name": "made",
        "gated": True,
        "none": None,
        "source": {"file": "f", "revision": "main"},
    }
    assert facts(told, 80).splitlines() == [
        "name    made",
        "gated   yes",
        "none    -",
        "source  file: f",
        "        revision: main",
    ]


def test_weights_are_fetched_once(young: Likeness, alone: Path, hub: hub_server.Hub) -> None:
    ran = young("encoders", "fetch", NAME)
    commit = hub.commits["main"]
    assert f"fetched: model.safetensors of {REPOSITORY}, commit {commit}" in ran.out
    path = alone.parent / f"alone/weights/{REPOSITORY}/{commit}/model.safetensors"
    assert f"  {path}\n" in ran.out
    assert path.read_bytes() == CONTENT
    asked = len(hub.seen)
    assert "already here" in young("encoders", "fetch", NAME).out
    assert len(hub.seen) == asked
    path.write_bytes(CONTENT[1:])
    mended = young("encoders", "fetch", NAME).out
    assert "the file was cut short: 152 of 153 bytes are there; mended" in mended


def test_newer_weights_are_told_to_be_of_another_space(
    young: Likeness, hub: hub_server.Hub
) -> None:
    young("encoders", "fetch", NAME)
    old, new = hub.commits["main"], hub.publish(CONTENT[::-1])
    told = young("encoders", "fetch", NAME, "--again").out
    assert f"commit {new}" in told
    assert f"before it was commit {old}, which is kept" in told
    assert f"likeness encoders add {NAME}" in told
    assert "before it was" not in young("encoders", "fetch", NAME, "--again").out


def test_what_is_shown_tells_where_weights_are_and_what_is_wrong_with_them(
    young: Likeness, hub: hub_server.Hub
) -> None:
    def shown() -> dict[str, object]:
        told: dict[str, object] = json.loads(young("encoders", "show", NAME, "--json").out)
        return told

    assert (shown()["weights"], shown()["space"]) == ({}, None)
    young("encoders", "fetch", NAME)
    weights, fault = shown()["weights"], str(shown()["fault"])
    assert isinstance(weights, dict)
    assert weights["commit"] == hub.commits["main"]
    assert Path(weights["path"]).read_bytes() == CONTENT
    assert fault.startswith(f"weights file {weights['path']} is no whole safetensors file")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("fetch", "baseline"), "baseline needs no weights"),
        (("fetch", "monai-vit-b32-256"), "are your own: give `likeness encoders add"),
        (("fetch", "nonsense"), "there is no encoder 'nonsense'"),
        (("show", "nonsense"), "there is no encoder 'nonsense'"),
        (("check", "monai-densenet121", "--weights", "gone"), "gone (put it there"),
        (("convert", "gone.pt", "new.safetensors"), "gone.pt cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_told(
    young: Likeness, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in young("encoders", *arguments).could_not()


def test_an_encoder_without_weights_has_its_space_at_once(young: Likeness) -> None:
    shown = json.loads(young("encoders", "show", "baseline", "--json").out)
    assert shown["space"] == create("baseline").space.id
    assert f"space  {' ' * 8}{shown['space']}" in young("encoders", "show", "baseline").out


def test_a_network_is_shown_and_checked_in_the_same_space(
    young: Likeness, alone: Path, densenet: Path
) -> None:
    named = ("monai-densenet121", "--weights", densenet)
    shown = json.loads(young("encoders", "show", *named, "--json").out)
    alone.write_text("data_folder = 'alone'\n[encoder]\nbatch = 2\ndevice = 'cpu'")
    told = young("encoders", "check", *named).out
    assert f"space {shown['space']}, dimension 1024" in told
    assert re.search(r"\d images/s on cpu in batches of [12]; one thread prepares \d+/s", told)


def test_a_check_says_if_the_archive_answers_in_another_space(
    likeness: Likeness, engine: Engine
) -> None:
    with engine.begin() as connection:
        spaces.use(connection, space(), Maker("baseline"))
    ran = likeness("encoders", "check")
    assert ran.code == 1
    assert "the archive answers in space space-a" in ran.err


def test_a_pickle_is_converted_once_and_not_over_another_file(
    young: Likeness, tmp_path: Path
) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    pickle, new = tmp_path / "w.pt", tmp_path / "w.safetensors"
    torch.save({"state_dict": {"a": shared, "b": shared, "c": shared.T}, "epoch": 1}, pickle)
    assert young("encoders", "convert", pickle, new).out == f"{new}: 3 tensors\n"
    found = load_file(new)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "a": [[0, 1, 2], [3, 4, 5]],
        "b": [[0, 1, 2], [3, 4, 5]],
        "c": [[0, 3], [1, 4], [2, 5]],
    }
    assert "is there already" in young("encoders", "convert", pickle, new).could_not()
    assert {path.suffix for path in tmp_path.glob("w.*")} == {".pt", ".safetensors"}


def test_listing_imports_no_torch(alone: Path) -> None:
    code = (
        "import sys; from dicom_node.cli import main; "
        f"main(['--settings', {str(alone)!r}, 'encoders', 'list']); "
        "assert not {'torch', 'monai', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)

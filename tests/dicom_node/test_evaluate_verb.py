"""``likeness evaluate``: data sets, the archive, and papers' tables, from the command line."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, text

from tests.dicom_node.command_line import Likeness
from tests.storage.made import add_study, space, unit


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """24 images of twelve patients: bright ones are ill, and all are of one of two views."""
    folder = tmp_path / "set"
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["file,patient_id,labels,view,kind"]
    for at in range(24):
        ill = at // 2 % 2 == 1
        pixels = random.integers(0, 60, (40, 40)) + np.linspace(0, 150, 40) * ill
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{at}.png")
        labels = "Effusion|Mass" if ill else "Nodule"
        lines.append(
            f"{at}.png,p{at // 2},{labels},{'PA' if at % 3 else 'AP'},{'ill' if ill else 'well'}"
        )
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def asked(likeness: Likeness, place: object, folder: Path, *more: object) -> str:
    ran = likeness("evaluate", place, "-o", folder, "--no-maps", *more)
    assert ran.code == 0, ran.err
    return ran.out


def test_systems_are_scored_side_by_side(
    likeness: Likeness, collection: Path, tmp_path: Path
) -> None:
    systems = ("--encoder", "pixels", "--encoder", "random")
    told = asked(likeness, collection, tmp_path / "report", "--classes", "kind", *systems)
    heading, columns, first = told.splitlines()[:3]
    assert heading == "kind: of the same kind; 24 images"
    assert columns.split() == ["chance", "pixels", "random"]
    # of 22 images of other patients ten are of the same kind
    assert first.split()[:2] == ["p@1", ".455"]
    assert float(first.split()[2]) > 0.9
    assert "24 queries of 12 patients" in told
    assert "pixels: view (no sign)" in told
    names = {path.name for path in (tmp_path / "report").iterdir() if path.is_file()}
    assert {"report.html", "report.json", "figures.csv", "confounders.csv"} <= names


def test_a_system_that_cannot_tell_images_apart_is_told_so(
    likeness: Likeness, collection: Path, tmp_path: Path
) -> None:
    first, second = (Image.open(collection / name) for name in ("0.png", "2.png"))
    for at in range(24):
        (second if at // 2 % 2 else first).save(collection / f"{at}.png")
    report, systems = tmp_path / "report", ("--encoder", "pixels", "--encoder", "random")
    told = asked(likeness, collection, report, "--classes", "kind", *systems)
    said = "for 1.000 of the queries the second answer is as near as the first"
    assert [said in line for line in told.splitlines()].count(True) == 1
    assert f"pixels: {said}" in told
    judged = json.loads((report / "report.json").read_text())["judgements"]
    assert {one["system"]: one["tied"] for one in judged} == {"pixels": 1, "random": 0}


def test_labels_are_the_task_where_no_classes_are_named(
    likeness: Likeness, collection: Path, tmp_path: Path
) -> None:
    told = asked(likeness, collection, tmp_path / "report", "--encoder", "pixels", "--json")
    document = json.loads(told)
    assert [task["name"] for task in document["tasks"]] == ["labels", "each label"]
    assert document["rules"]["apart"] == "patient"
    assert [system["name"] for system in document["systems"]] == ["pixels"]


def test_the_encoder_of_the_settings_is_asked_by_default(
    likeness: Likeness, collection: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    told = asked(likeness, collection, folder, "--classes", "kind", "--where", "view=PA")
    assert told.splitlines()[1].split() == ["chance", "baseline"]
    assert "16 images" in told.splitlines()[0]
    (kept,) = (folder / "vectors").glob("*.npy")
    before = kept.stat().st_mtime_ns
    asked(likeness, collection, folder, "--labels", "--where", "view=PA")
    assert kept.stat().st_mtime_ns == before, "vectors are made once"


def test_vectors_need_no_encoder(likeness: Likeness, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = ["id,patient_id,labels,prob_a,prob_b"]
    lines += [
        f"i{at},p{at},{'a' if at % 2 else 'b'},{at % 2 + random.random() / 9},{1 - at % 2}"
        for at in range(20)
    ]
    file = tmp_path / "vectors.csv"
    file.write_text("\n".join(lines) + "\n")
    told = asked(likeness, file, tmp_path / "report", "--classes", "label")
    assert told.splitlines()[2].split()[:3] == ["p@1", ".474", "1.000"]


def studies(engine: Engine, count: int) -> None:
    """Studies of two kinds of vectors, half of them with an effusion."""
    with engine.begin() as connection:
        for at in range(count):
            turned = 0.02 * at
            vector = unit(1, turned, 0, 0) if at % 2 else unit(0, 0, 1, turned)
            add_study(connection, space(), f"1.2.{at + 1}", [vector], patient=f"P{at}")
        connection.execute(
            text(
                "UPDATE studies SET first_received_at = first_received_at "
                "+ make_interval(hours => id::int)"
            )
        )


def test_the_archive_itself(likeness: Likeness, engine: Engine, tmp_path: Path) -> None:
    studies(engine, 30)
    folder = tmp_path / "report"
    ran = likeness("evaluate", "archive", "-o", folder, "--no-maps")
    assert ran.code == 0
    assert "no similar study: best hit below percentile 20" in ran.out
    assert "drift: similarity of the nearest" in ran.out
    assert "`likeness labels import` brings labels" in ran.err
    kept = json.loads((folder / "report.json").read_text())
    assert kept["tasks"] == []
    assert kept["shadow"]["abstentions"][0]["studies"] == 30
    assert kept["shadow"]["drifts"][0]["new"] == 3
    assert (folder / "abstentions.csv").read_text().splitlines()[1].startswith(",,30,0,")
    assert (folder / "drifts.csv").is_file()
    assert "Shadow mode" in (folder / "report.html").read_text()
    as_json = likeness("evaluate", "archive", "-o", folder, "--no-maps", "--json")
    assert json.loads(as_json.out)["shadow"] == kept["shadow"]
    labels = tmp_path / "labels.csv"
    rows = [f"1.2.{at + 1},Effusion,{at % 2}" for at in range(30)]
    labels.write_text("study_instance_uid,label,value\n" + "\n".join(rows) + "\n")
    assert likeness("labels", "import", labels).code == 0
    told = asked(likeness, "archive", folder, "--make-splits", "--probe", "linear")
    assert "no similar study: best hit below percentile 20" in told
    assert "labels: any label in common; 15 images" in told
    assert "each label, linear probe: 24 images in training, 3 in validation, 3 in test" in told
    assert "each label: has the label; 30 images" in told
    # the fifteen with an effusion find each other
    (line,) = [one for one in told.splitlines() if one.startswith("  rr@5, Effusion")]
    assert line.split()[3] == "1.000"
    both = json.loads((folder / "report.json").read_text())
    assert both["shadow"] == kept["shadow"]
    assert [one["kind"] for one in both["probes"]] == ["linear"]


def test_an_archive_of_which_nothing_is_known_cannot_be_probed(
    likeness: Likeness, engine: Engine, tmp_path: Path
) -> None:
    studies(engine, 30)
    folder = tmp_path / "report"
    ran = likeness("evaluate", "archive", "-o", folder, "--make-splits", "--probe", "knn")
    assert "there is nothing for a probe to tell" in ran.could_not()
    assert not folder.exists()


def test_probes_and_an_ablation(likeness: Likeness, collection: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    more = ("--probe", "knn", "--probe", "linear", "--make-splits")
    ablation = ("--ablation", 1, 2, 4, "--ablation-queries", 3)
    systems = ("--encoder", "pixels", "--encoder", "random")
    told = asked(likeness, collection, folder, "--classes", "kind", *more, *ablation, *systems)
    document = json.loads((folder / "report.json").read_text())
    # twelve patients of two images: eight tenths learn, and each of the others has one at least
    assert Counter(dict(document["collection"]["splits"])) == {"train": 20, "val": 2, "test": 2}
    assert (
        "Splits are drawn by patient (0.8 train, 0.1 val, 0.1 test), seed 0." in document["notes"]
    )
    probes = [(one["probe"]["system"], one["kind"]) for one in document["probes"]]
    assert probes == [
        ("pixels", "knn"),
        ("random", "knn"),
        ("pixels", "linear"),
        ("random", "linear"),
    ]
    assert "kind, knn probe: 20 images in training, 2 in validation, 2 in test" in told
    assert "kind, linear probe: 20 images in training" in told
    assert "kind, p@1 by images of each class: 2 classes, 3 queries of each, seeds 0, 1, 2" in told
    lines = (folder / "ablations.csv").read_text().splitlines()
    assert lines[1].startswith("pixels,kind,1,,p@1,micro,")
    assert len(lines) == 1 + 2 * 3 * 4
    assert (folder / "probes.csv").read_text().count("\n") > 4
    html = (folder / "report.html").read_text()
    assert "data:image/svg+xml;base64," in html
    assert html.index('id="probes"') < html.index('id="ablations"')


def test_an_archive_without_images(likeness: Likeness, engine: Engine) -> None:
    assert "the archive has no vector space yet" in likeness("evaluate", "archive").could_not()


def test_a_papers_table(likeness: Likeness, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = ["id,patient_id,labels,split,prob_a,prob_b"]
    for at in range(60):
        label = ("Pneumonia", "Effusion")[at % 2]
        split = ("train", "train", "test")[at % 3]
        lines.append(f"i{at},p{at},{label},{split},{at % 2},{random.random()}")
    file = tmp_path / "vectors.csv"
    file.write_text("\n".join(lines) + "\n")
    ran = likeness(
        "evaluate", "papers/2-table2", "--data", file, "-o", tmp_path / "out", "--make-splits"
    )
    assert ran.code == 0, ran.err
    assert ran.out.startswith("papers/2-table2: ")
    assert "BiomedCLIP" in ran.out
    assert (tmp_path / "out/papers-2-table2.md").read_text().startswith("## papers/2-table2: ")


def test_a_table_of_graded_images(likeness: Likeness, collection: Path, tmp_path: Path) -> None:
    rows = [f"0.png,{at}.png,{rank}" for rank, at in enumerate((4, 5, 8, 2, 3), start=1)]
    first, second = tmp_path / "R1.csv", tmp_path / "R2.csv"
    for file, lines in ((first, rows), (second, [*rows[1:], rows[0]])):
        told = [f"{line.rpartition(',')[0]},{rank}" for rank, line in enumerate(lines, start=1)]
        file.write_text("query,image,rank\n" + "\n".join(told) + "\n")
    table = ("evaluate", "papers/3-ndcg", "--data", collection, "-o", tmp_path / "out")
    ran = likeness(*table, "--encoder", "pixels", "--grades", first, second)
    assert ran.code == 0, ran.err
    assert "R2" in ran.out
    assert "SSIM" in ran.out
    assert "pixels" in ran.out


@pytest.mark.parametrize(
    ("table", "encoder", "said"),
    [
        ("3-ndcg", "baseline", "a reader's grades are needed (--grades)"),
        ("2-table2", "baseline", "papers/2-table2 cannot be made of set, which lacks the splits"),
        ("4-table1", "baseline", "papers/4-table1 cannot be made of set, which lacks the labels"),
        ("5-table", "folds:k", "folds:k: a paper's table needs one vector of each image"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_before_images_are_embedded(
    likeness: Likeness, collection: Path, tmp_path: Path, table: str, encoder: str, said: str
) -> None:
    ran = likeness(
        "evaluate",
        f"papers/{table}",
        "--data",
        collection,
        "--encoder",
        encoder,
        "-o",
        tmp_path / "out",
    )
    assert ran.could_not().startswith(said)
    assert not (tmp_path / "out").exists()


def test_a_part_of_a_data_set(likeness: Likeness, collection: Path, tmp_path: Path) -> None:
    (collection / "7.png").unlink()
    told = asked(
        likeness,
        collection,
        tmp_path / "out",
        "--images",
        "present",
        "--classes",
        "kind",
        "--encoder",
        "random",
    )
    assert "23 images" in told.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("SET", "--option", "labeler=negbio"), "is no option of manifest; it has root=…"),
        (("nowhere",), "nowhere is no data set that is known; --reader says which it is"),
        (("papers/9-table9",), "there is no table 'papers/9-table9'; there are papers/1-map5"),
        (("SET", "--classes", "nothing"), "has no column 'nothing'; it has view, kind"),
        (("SET", "--classes", "kind", "--where", "view=LL"), "has no image with view=LL"),
        (("SET", "--classes", "kind", "--where", "view"), "'view' is not COLUMN=VALUE"),
        (("SET", "--queries", "test", "--encoder", "random"), "tells no splits"),
        (("SET", "--classes", "kind", "--encoder", "nothing"), "there is no encoder 'nothing'"),
        (("SET", "--number", "weight:80"), "has no number 'weight'"),
        (("SET", "--number", "weight:x"), "'weight:x' is not COLUMN:SCALE"),
        (("SET", "--strata", "scanner"), "has no column 'scanner'"),
        (("SET", "--label-set", "nih13"), "lacks Atelectasis"),
        (("SET", "--probe", "knn"), "are needed: let them be drawn by patient (--make-splits), or"),
        (("SET", "--classes", "kind", "--ablation", "5", "2"), "sizes rise and are at least 1"),
        (("SET", "--classes", "kind", "--ablation", "0"), "sizes rise and are at least 1"),
        (("SET", "--classes", "kind", "--ablation"), "ask for smaller sizes or fewer queries"),
        (("SET", "--ablation", "1"), "draws images of each class; name a column of classes"),
        (
            ("SET", "--classes", "kind", "--within", "view", "--ablation", "1"),
            "an ablation lets images of all values of view answer",
        ),
    ],
)
def test_what_cannot_be_evaluated(
    likeness: Likeness, collection: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    place = [str(collection) if one == "SET" else one for one in arguments]
    ran = likeness("evaluate", *place, "-o", str(tmp_path / "report"))
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert not (tmp_path / "report").exists(), "nothing is embedded before it is refused"


def test_an_image_that_is_gone_is_named(
    likeness: Likeness, collection: Path, tmp_path: Path
) -> None:
    (collection / "7.png").unlink()
    ran = likeness("evaluate", collection, "-o", tmp_path / "report")
    assert "7.png" in ran.could_not()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--probe", "forest"),
        ("--ablation-queries", "0"),
        ("--ablation", "many"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
    ],
)
def test_what_is_no_option(
    likeness: Likeness, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        likeness("evaluate", "somewhere", *wrong)
    assert ended.value.code == 2
    assert f"argument {wrong[0]}" in capsys.readouterr().err


def test_a_table_needs_its_data(likeness: Likeness, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        likeness("evaluate", "papers/5-table")
    assert ended.value.code == 2
    assert "name it with --data" in capsys.readouterr().err

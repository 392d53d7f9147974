"""The command line in-process, on a real database: data on stdout, one line for a fault."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dicom_node.cli import main
from dicom_node.settings_file import load_settings
from dicom_node.verbs.node import at_most
from dicom_node.worker_loop import WorkerLoop
from dicom_node.worker_process import start_worker
from storage import embeddings, studies
from storage.index import VectorIndex, snapshot_path
from tests.dicom_node.command_line import Likeness, Ran
from tests.dicom_node.objects import STUDY, encoded, radiograph, write_file, written
from tests.dicom_node.receivers import receiver
from tests.storage.made import add_study, received, row_of, space, unit

NO_SUCH = "1.2.3.4.5"


def _work_all(engine: Engine, settings_file: Path) -> None:
    """Does what the worker's process does, here and until nothing is left."""
    worker = start_worker(engine, load_settings(settings_file, {}))
    with WorkerLoop(worker) as loop:
        while loop.work_next():
            pass


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["search"],
        ["search", "1.2", "-k", "0"],
        ["search", "1.2", "-k", "many"],
        ["report", "1.2"],
        ["ingest"],
        ["encoders"],
        ["labels", "import"],
        ["status", "--nonsense"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: likeness")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("likeness ")


def test_a_wrong_key_in_the_settings_is_named(likeness: Likeness, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[dicom]\nprot = 1")
    ran = likeness("status", settings=path)
    assert (ran.code, ran.out) == (1, "")
    assert "dicom.prot: no such setting; did you mean dicom.port?" in ran.err


def test_a_missing_settings_file_is_named(likeness: Likeness, tmp_path: Path) -> None:
    fault = likeness("status", settings=tmp_path / "missing.toml").could_not()
    assert f"{tmp_path / 'missing.toml'} cannot be read: No such file" in fault


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:secret@127.0.0.1:{port}/x", "127.0.0.1:{port}/x cannot be reached"),
        ("sqlite:///x.db", "only postgresql:// is supported"),
        ("nonsense", "database_url is not a URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named(
    likeness: Likeness, tmp_path: Path, free_port: int, url: str, expected: str
) -> None:
    path = tmp_path / "other.toml"
    path.write_text(f"data_folder = 'data'\ndatabase_url = '{url.format(port=free_port)}'")
    fault = likeness("status", settings=path).could_not()
    assert expected.format(port=free_port) in fault
    assert "secret" not in fault


def test_a_database_of_a_newer_version_is_let_alone(likeness: Likeness, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of-tomorrow'"))
    assert "install that version" in likeness("status").could_not()


def test_a_data_folder_that_cannot_be_made_is_named(
    likeness: Likeness, settings_file: Path
) -> None:
    (settings_file.parent / "data").touch()
    assert f"{settings_file.parent / 'data'}" in likeness("ingest", settings_file).could_not()


def test_a_spoilt_device_uid_is_named(likeness: Likeness, settings_file: Path) -> None:
    path = settings_file.parent / "data" / "device-uid"
    path.parent.mkdir()
    path.write_text("nonsense")
    assert f"{path} holds no UID" in likeness("ingest", settings_file).could_not()


@pytest.mark.parametrize("arguments", [["report", NO_SUCH, "-o", "x"], ["close", NO_SUCH]])
def test_a_study_that_never_came_is_named(likeness: Likeness, arguments: list[str]) -> None:
    assert likeness(*arguments).could_not() == f"study {NO_SUCH} is not in this archive"


@pytest.mark.parametrize("question", [NO_SUCH, "missing.dcm"])
def test_a_question_that_is_neither_a_study_nor_a_file(likeness: Likeness, question: str) -> None:
    said = likeness("search", question).could_not()
    assert said == f"{question} is neither a file nor a study of this archive"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"Rows": None}, "no pixels: (0028,0010) Rows is missing"),
        ({"PixelData": None}, "no pixels: Pixel Data (7FE0,0010) is missing"),
        ({"Modality": None}, "(0008,0060) Modality is missing"),
    ],
)
def test_a_file_without_an_image_cannot_be_asked_with(
    likeness: Likeness, tmp_path: Path, attributes: dict[str, Any], expected: str
) -> None:
    path = written(tmp_path / "asked.dcm", radiograph(**attributes))
    assert f"{path}: {expected}" in likeness("search", path).could_not()


@pytest.mark.parametrize("content", [b"", b"no DICOM at all"])
def test_a_file_that_is_no_dicom_cannot_be_asked_with(
    likeness: Likeness, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "asked.dcm"
    path.write_bytes(content)
    assert f"{path} is not readable as DICOM" in likeness("search", path).could_not()


def test_an_unknown_peer_is_told_with_those_known(likeness: Likeness) -> None:
    fault = likeness("echo", "pcas").could_not()
    assert fault == "the settings name no peer 'pcas'; known: pacs"


def test_echo_of_a_peer(likeness: Likeness, free_port: int) -> None:
    assert "does not answer" in likeness("echo", "pacs").could_not()
    with receiver(free_port):
        ran = likeness("echo", "pacs")
    assert (ran.code, ran.out) == (0, f"pacs (PACS at 127.0.0.1:{free_port}) answers\n")


def _mixed_folder(folder: Path) -> Path:
    """Two good images of one study, an identical copy of one, and two files that are no good."""
    (folder / "in" / "deeper").mkdir(parents=True)
    for number, name in enumerate(("a.dcm", "deeper/b.dcm"), start=1):
        written(folder / "in" / name, radiograph(f"{STUDY}.1.{number}"))
    written(folder / "in" / "copy-of-a.dcm", radiograph(f"{STUDY}.1.1"))
    (folder / "in" / "notes.txt").write_text("no DICOM")
    write_file(folder / "in" / "no-study.dcm", encoded(radiograph(StudyInstanceUID=None)))
    return folder / "in"


def test_a_folder_of_good_and_bad_files_is_ingested(likeness: Likeness, tmp_path: Path) -> None:
    folder = _mixed_folder(tmp_path)
    ran = likeness("ingest", folder)
    assert ran.code == 1
    assert ran.out == "1 identical, 2 new, 2 refused; 1 studies queued for `likeness serve`\n"
    refused = ran.err.splitlines()
    assert refused[0] == f"{folder}/no-study.dcm: quarantined: StudyInstanceUID is missing"
    assert refused[1].startswith(f"{folder}/notes.txt: not readable as DICOM: ")


def test_files_ingested_twice_change_nothing(likeness: Likeness, tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", radiograph())
    assert likeness("ingest", path).code == 0
    ran = likeness("ingest", path)
    assert (ran.code, ran.out) == (
        0,
        "1 identical; 0 studies queued for `likeness serve`\n",
    )


def test_a_refusal_of_the_database_does_not_end_the_ingest(
    likeness: Likeness, engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        rule = f"sop_instance_uid <> '{STUDY}.1.1'"
        connection.execute(text(f"ALTER TABLE instances ADD CONSTRAINT refused CHECK ({rule})"))
    paths = [written(tmp_path / f"{n}.dcm", radiograph(f"{STUDY}.1.{n}")) for n in (1, 2)]
    ran = likeness("ingest", *paths)
    assert "quarantined: refused by the database: " in ran.err
    assert ran.out.startswith("1 new, 1 refused; 1 studies queued")


@pytest.mark.parametrize("missing", ["missing.dcm", "missing/folder"])
def test_a_path_that_is_not_there_is_refused(
    likeness: Likeness, tmp_path: Path, missing: str
) -> None:
    ran = likeness("ingest", tmp_path / missing)
    assert (ran.code, ran.out.split(";")[0]) == (1, "1 refused")
    assert ran.err == f"{tmp_path / missing}: cannot be taken in: No such file or directory\n"


def test_an_empty_folder_is_told(likeness: Likeness, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = likeness("ingest", tmp_path / "empty")
    assert (ran.code, ran.out.split(";")[0]) == (1, "no files")


def test_an_open_study_is_closed_once(likeness: Likeness, engine: Engine) -> None:
    with engine.begin() as connection:
        studies.record(connection, received(), received_by="2.25.1")
    assert likeness("close", "1.2.3") == Ran(0, "", "")
    assert likeness("close", "1.2.3").could_not() == "study 1.2.3 is not open, but queued"


def test_a_study_without_an_image_fails_with_its_reason_and_is_retried(
    likeness: Likeness, engine: Engine, settings_file: Path, tmp_path: Path
) -> None:
    likeness("ingest", written(tmp_path / "a.dcm", radiograph(Rows=None)), settings_file)
    _work_all(engine, settings_file)
    found = json.loads(likeness("failed", "--json").out)
    assert [(e["study"], "no pixels" in e["reason"]) for e in found["studies"]] == [(STUDY, True)]
    assert (found["reports"], found["files"]) == ([], [])
    assert likeness("failed").out.startswith(f"studies: {STUDY} | no image to embed: 1 x no pixels")
    assert likeness("retry", NO_SUCH).code == 1
    assert likeness("retry", STUDY) == Ran(0, "1 studies and 0 reports queued again\n", "")
    assert likeness("retry").code == 1


def test_quarantined_files_are_listed(likeness: Likeness, tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.dcm", encoded(radiograph(StudyInstanceUID=None)))
    likeness("ingest", path)
    ((entry),) = json.loads(likeness("failed", "--json").out)["files"]
    assert entry["reason"] == "StudyInstanceUID is missing"
    assert json.loads(likeness("status", "--json").out)["quarantined"] == 1


def test_status_in_numbers(likeness: Likeness, tmp_path: Path) -> None:
    likeness("ingest", written(tmp_path / "a.dcm", radiograph()))
    found = json.loads(likeness("status", "--json").out)
    assert (found["studies"], found["jobs"], found["sends"]) == ({"queued": 1}, {"queued": 1}, {})
    assert (found["space"], found["vectors"], found["reports"]) == (None, 0, 0)
    assert "studies: 1 queued\njobs: 1 queued\nsends: none\n" in likeness("status").out


@pytest.fixture
def archive(likeness: Likeness, engine: Engine, settings_file: Path, tmp_path: Path) -> list[str]:
    """Three indexed studies of three patients; returns their UIDs."""
    uids = [f"{STUDY}.{number}" for number in (1, 2, 3)]
    for number, uid in enumerate(uids, start=1):
        image = radiograph(f"{uid}.1.1", study=uid, PatientID=f"P{number}")
        image.PixelData = bytes(reversed(image.PixelData)) if number == 3 else image.PixelData
        likeness("ingest", written(tmp_path / f"{number}.dcm", image))
    _work_all(engine, settings_file)
    return uids


def test_a_search_answers_in_the_form_of_the_contract(
    likeness: Likeness, archive: list[str]
) -> None:
    ran = likeness("search", archive[0], "-k", "1", "--json")
    found = json.loads(ran.out)
    assert ran.code == 0
    assert found["query"]["study_instance_uid"] == archive[0]
    assert (found["searched"], found["asked"], found["priors"]) == (2, 1, [])
    (hit,) = found["hits"]
    assert (hit["rank"], hit["study_instance_uid"]) == (1, archive[1])
    assert hit["similarity"] == pytest.approx(1.0, abs=1e-6)
    assert {"percentile", "labels", "patient_id", "modality", "frame"} <= hit.keys()


def test_a_file_from_outside_finds_its_own_kind(
    likeness: Likeness, archive: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path / "asked.dcm", radiograph("1.9.1.1", study="1.9", PatientID="P9"))
    found = json.loads(likeness("search", path, "--json").out)
    assert {hit["study_instance_uid"] for hit in found["hits"][:2]} == set(archive[:2])
    assert likeness("search", "1.9").could_not().startswith("1.9 is neither")


def test_several_are_asked_with_together(
    likeness: Likeness, archive: list[str], tmp_path: Path
) -> None:
    """Two files of one study are one; the third study is asked with, too, so it is no hit."""
    views = [
        written(tmp_path / name, radiograph(f"1.9.1.{name}", study="1.9", PatientID="P9"))
        for name in ("1", "2")
    ]
    found = json.loads(likeness("search", *views, archive[2], "--json").out)
    assert found["query"]["study_instance_uid"] == "1.9"
    assert found["also"] == [archive[2]]
    assert {hit["study_instance_uid"] for hit in found["hits"]} == set(archive[:2])
    assert (found["searched"], "refined" in found) == (2, False)


def test_marks_refine_a_search(likeness: Likeness, archive: list[str]) -> None:
    marks = ("--more", archive[2], "--less", archive[1])
    found = json.loads(likeness("search", archive[0], *marks, "--json").out)
    assert [hit["study_instance_uid"] for hit in found["hits"]] == [archive[2]]
    told = {"by": "request", "more": [archive[2]], "less": [archive[1]], "left_out": []}
    assert (found["refined"], "also" in found) == (told, False)
    told_people = likeness("search", archive[0], *marks).out.splitlines()[1]
    assert told_people == "Ordered by marks: 1 to be more like, 1 to be less like and left out."


def test_studies_that_make_no_question_together_are_named(
    likeness: Likeness, archive: list[str]
) -> None:
    first = archive[0]
    refused = {
        ("--more", "1.9"): "study 1.9 is not in this archive",
        ("--less", first): f"study {first} is asked with: it cannot be marked as well",
        ("--more", archive[1], "--less", archive[1]): f"study {archive[1]} is to be both more",
        ("1.9",): "1.9 is neither a file nor a study of this archive",
    }
    for more, says in refused.items():
        assert likeness("search", first, *more).could_not().startswith(says)


def test_an_answer_for_people_is_a_table(likeness: Likeness, archive: list[str]) -> None:
    lines = likeness("search", archive[0]).out.splitlines()
    assert lines[0].startswith("2 similar of 2 studies searched (baseline, space ")
    assert lines[1].split()[:3] == ["rank", "percentile", "similarity"]
    assert lines[2].split()[-1] == archive[1]


def test_a_question_is_audited(likeness: Likeness, engine: Engine, archive: list[str]) -> None:
    likeness("search", archive[0], "-k", "2")
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM queries")).one()
    assert (row.asked_by, row.study_instance_uid, row.k) == ("cli", archive[0], 2)


@pytest.mark.parametrize("verb", ["verify", "reindex"])
def test_an_archive_that_holds_nothing_says_so(likeness: Likeness, verb: str) -> None:
    assert "nothing is indexed yet" in likeness(verb).could_not()


def _indexed(engine: Engine, settings_file: Path) -> Path:
    """Two vectors in the database and in the snapshot; returns the snapshot's path."""
    with engine.begin() as connection:
        for number in (1, 2):
            add_study(connection, space(), f"1.2.{number}", [unit(number, 1, 0, 0)])
        index = VectorIndex(space().id, space().dimension)
        index.catch_up(connection)
    path = snapshot_path(load_settings(settings_file, {}).index_folder, space().id)
    index.save(path)
    return path


def test_verify_proves_index_and_database_equal(
    likeness: Likeness, engine: Engine, settings_file: Path
) -> None:
    path = _indexed(engine, settings_file)
    assert likeness("verify") == Ran(0, "index and database agree: 2 vectors\n", "")
    path.unlink()  # a missing snapshot is rebuilt at the next start, so it is no difference
    assert likeness("verify").code == 0


def test_verify_of_a_sample_says_what_that_proves(
    likeness: Likeness, engine: Engine, settings_file: Path
) -> None:
    _indexed(engine, settings_file)
    agree, proved = likeness("verify", "--sample", "1").out.splitlines()
    assert agree == "index and database agree: 2 vectors"
    assert proved == (
        "compared were all ids, and 1 of the vectors, chosen at random: with 95 % confidence "
        "fewer than 95 % differ"
    )
    [found] = json.loads(likeness("verify", "--json").out)
    assert found == {
        "space": space().id,
        "in_use": True,
        "vectors": 2,
        "engine": "exact-fp32",
        "compared": 2,
        "most_that_differ": 0.0,
        "recall": None,
        "faults": [],
    }


@pytest.mark.parametrize(
    ("share", "told"),
    [(1.0, "100 %"), (0.95, "95 %"), (0.0299, "3.0 %"), (0.00001501, "0.0016 %")],
)
def test_a_share_that_few_differ_by_is_never_told_too_small(share: float, told: str) -> None:
    assert at_most(share) == told


def test_verify_fails_on_an_altered_snapshot_until_it_is_rebuilt(
    likeness: Likeness, engine: Engine, settings_file: Path
) -> None:
    path = _indexed(engine, settings_file)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    ran = likeness("verify")
    assert ran.code == 1
    assert "the checksum of its rows does not match: it is altered" in ran.out
    assert ran.err == "likeness: 1 differences; `likeness reindex` rebuilds the index\n"
    assert likeness("reindex") == Ran(0, f"index of space {space().id} rebuilt: 2 vectors\n", "")
    assert likeness("verify").code == 0


def test_verify_names_a_vector_that_differs(
    likeness: Likeness, engine: Engine, settings_file: Path
) -> None:
    _indexed(engine, settings_file)
    with engine.begin() as connection:
        study = row_of(connection, "1.2.1")
        (stored,) = embeddings.of_study(connection, space_id=space().id, study_id=study)
        other = unit(0, 0, 0, 1).tobytes()
        connection.execute(
            text("UPDATE embeddings SET vector = :v WHERE id = :id"), {"v": other, "id": stored.id}
        )
    ran = likeness("verify")
    assert (ran.code, ran.out) == (
        1,
        f"embedding {stored.id} differs between index and database\n",
    )


def test_the_encoders_are_listed_with_the_one_in_use(
    likeness: Likeness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # wide enough for a line each
    rows: list[dict[str, Any]] = json.loads(likeness("encoders", "list", "--json").out)
    assert [row["name"] for row in rows if row["in_use"]] == ["baseline"]
    missing = {row["name"]: row["missing"] for row in rows}
    assert missing["baseline"] == []
    assert any("safetensors file" in lack for lack in missing["monai-densenet121"])
    table = likeness("encoders", "list").out
    assert re.search(r"^\* baseline .* in use$", table, re.MULTILINE)
    assert re.search(r"^  monai-densenet121 .* needs a file of yours$", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [('name = "basline"', "baseline"), ('name = "monai-densenet121"', "weights")],
)
def test_an_encoder_that_cannot_be_made_says_what_it_lacks(
    likeness: Likeness, tmp_path: Path, encoder: str, expected: str
) -> None:
    path = tmp_path / "other.toml"
    path.write_text(f"data_folder = 'data'\n[encoder]\n{encoder}")
    ran = likeness("encoders", "check", settings=path)
    assert ran.code == 1
    assert expected in ran.err


def test_the_encoder_in_use_is_checked(likeness: Likeness) -> None:
    ran = likeness("encoders", "check")
    assert (ran.code, ran.out.split(":")[0]) == (0, "baseline")

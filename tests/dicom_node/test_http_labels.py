"""Labels of series and instances over HTTP, and what a PUT does to them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.http.routes import archive_routes
from storage import labels
from storage.answer import Label
from storage.labels import LabelLine
from tests.dicom_node.archive_of_made import STUDIES, made_archive, settings_of
from tests.dicom_node.http_doors import Door, running
from tests.storage.made import NODE, add_study, space, unit

UID = "1.2.9"
PATH = f"/studies/{UID}/labels"


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """The whole service over a study of which a file and the caller say something."""
    made_archive(engine, tmp_path)
    with engine.begin() as connection:
        add_study(connection, space(), UID, [unit(1, 0, 0, 0)])
        lines = [
            LabelLine(UID, Label("a")),
            LabelLine(UID, Label("b", 0), f"{UID}.1"),
            LabelLine("", Label("c", -1), "", f"{UID}.1.1"),
        ]
        labels.store(connection, lines, source="file")
        labels.store(connection, lines, source="http:tester")
    with running(engine, free_port, archive_routes(engine, settings_of(tmp_path), node=NODE)) as it:
        yield it.with_token("tester")


def test_a_label_tells_the_series_and_instance_that_it_is_of(door: Door) -> None:
    told = [word for word in door.ask(PATH).json()["labels"] if word["source"] == "file"]
    plain = {"code": None, "scheme": None, "source": "file"}
    series, instance = {"series_instance_uid": f"{UID}.1"}, {"sop_instance_uid": f"{UID}.1.1"}
    assert told == [
        {"name": "a", "value": 1, **plain},
        {"name": "b", "value": 0, **plain, **series},
        {"name": "c", "value": -1, **plain, **series, **instance},
    ]


def test_a_put_replaces_what_the_caller_said_of_parts_of_the_study(door: Door) -> None:
    left = door.ask(PATH, "PUT", {"labels": [{"name": "d"}]}).json()["labels"]
    assert [word["name"] for word in left if word["source"] == "http:tester"] == ["d"]
    assert len(left) == 4


def test_other_studies_keep_theirs(door: Door) -> None:
    other = f"/studies/{STUDIES[0]}/labels"
    door.ask(other, "PUT", {"labels": [{"name": "d"}]})
    door.ask(PATH, "PUT", {"labels": []})
    assert [word["name"] for word in door.ask(other).json()["labels"]] == ["d"]

"""A spool, an intake on a real database, and the door in front of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import _config
from sqlalchemy import Engine

from dicom_node.cli import main
from dicom_node.intake import Intake
from dicom_node.spool import Spool
from tests.dicom_node.command_line import Likeness, Ran
from tests.dicom_node.doors import Door, open_door, working

NODE = "2.25.1"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path)


@pytest.fixture
def intake(engine: Engine, spool: Spool) -> Intake:
    """An intake that does not run yet, and closes studies soon."""
    return Intake(engine, spool, node=NODE, close_after_s=0.1)


@pytest.fixture
def door(free_port: int, intake: Intake, spool: Spool) -> Iterator[Door]:
    """A node that receives, takes in and closes."""
    with working(intake), open_door(free_port, intake, spool) as opened:
        yield opened


@pytest.fixture
def send_bytes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom sends a file's data set unparsed, and takes the request's UIDs from its meta."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)


@pytest.fixture
def settings_file(tmp_path: Path, database_url: str, free_port: int) -> Path:
    """Settings with a database of the test's own, and one peer on this machine."""
    path = tmp_path / "likeness.toml"
    path.write_text(
        f"""
        data_folder = "data"
        database_url = '{database_url}'
        [[peers]]
        name = "pacs"
        ae_title = "PACS"
        host = "127.0.0.1"
        port = {free_port}
        """
    )
    return path


@pytest.fixture
def likeness(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> Likeness:
    """Runs the command with these settings, or with others named first."""

    def run(*arguments: object, settings: Path = settings_file) -> Ran:
        capsys.readouterr()
        code = main(["--settings", str(settings), *map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return run

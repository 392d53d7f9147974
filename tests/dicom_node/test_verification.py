"""What `verify` makes of a large archive: it compares the snapshot, or says that there is none."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dicom_node import verification
from dicom_node.settings import Settings
from dicom_node.verification import Verified, verify
from storage.index import snapshot_path
from storage.index_rebuild import rebuild
from tests.storage.made import add_study, space, unit

SPACE = space(3)


@pytest.fixture(autouse=True)
def _archive(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.begin() as connection:
        add_study(connection, SPACE, "1.1", [unit(1, n, n * n) for n in range(9)])
    monkeypatch.setattr(verification, "INLINE_MOST", 8)


def _verified(engine: Engine, folder: Path) -> Verified:
    [found] = verify(engine, Settings(data_folder=folder))
    return found


def _rebuilt(engine: Engine, folder: Path) -> Path:
    path = snapshot_path(Settings(data_folder=folder).index_folder, SPACE.id)
    rebuild(engine, path, SPACE)
    return path


def test_without_a_snapshot_nothing_is_proved(engine: Engine, tmp_path: Path) -> None:
    found = _verified(engine, tmp_path)
    assert "answers come from the database meanwhile" in found.unproved
    assert (found.checked.faults, found.checked.compared) == ([], 0)


def test_a_snapshot_is_compared_with_what_the_database_gives(
    engine: Engine, tmp_path: Path
) -> None:
    _rebuilt(engine, tmp_path)
    found = _verified(engine, tmp_path)
    assert (found.unproved, found.checked.faults, found.checked.compared) == ("", [], 9)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE embeddings SET vector = :other WHERE id = 4"),
            {"other": unit(0, 0, 1).tobytes()},
        )
    expected = ["embedding 4 differs between index and database"]
    assert _verified(engine, tmp_path).checked.faults == expected


def test_a_row_that_is_no_vector_is_told(engine: Engine, tmp_path: Path) -> None:
    _rebuilt(engine, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("UPDATE embeddings SET vector = 'abcd' WHERE id = 4"))
    [fault] = _verified(engine, tmp_path).checked.faults
    assert "embedding 4 has 4 bytes" in fault


def test_a_snapshot_that_is_far_behind_proves_nothing(engine: Engine, tmp_path: Path) -> None:
    _rebuilt(engine, tmp_path)
    with engine.begin() as connection:
        add_study(connection, SPACE, "1.2", [unit(1, n, 0) for n in range(9)])
    assert _verified(engine, tmp_path).unproved

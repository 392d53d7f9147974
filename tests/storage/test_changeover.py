"""A space filled from another: what is missing, what is surplus, and the switch."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import changeover, embeddings, spaces, studies
from storage.answer import ImageReference
from storage.changeover import Filled, Gap, NotInUseError
from storage.embeddings import NewEmbedding, VectorError
from storage.spaces import Maker
from tests.storage.made import NODE, received, reference, row_of, space, unit
from tests.waiting import wait_until

OLD, NEW = space(2, "old"), space(3, "new")
ARCHIVE = 3


@pytest.fixture
def archive(engine: Engine) -> Engine:
    """Three studies of one image in the space in use, and another space that is wanted."""
    with engine.begin() as connection:
        spaces.use(connection, OLD)
        for number in range(ARCHIVE):
            work(connection, f"1.{number}")
        spaces.want(connection, NEW, Maker("made"))
    return engine


def work(connection: Connection, study: str, *, sha256: str = "aa", **changes: Any) -> int:
    """What a worker does with a study of one image; returns its row."""
    image: ImageReference = replace(reference(f"{study}.1.1"), **changes)
    studies.record(
        connection, received(study, image.sop_instance_uid, sha256=sha256), received_by=NODE
    )
    study_id = row_of(connection, study)
    new = NewEmbedding(image, unit(1, 2), b"png", {"sha256": sha256})
    embeddings.replace(connection, space=OLD, study_id=study_id, new=[new])
    connection.execute(text("UPDATE studies SET state = 'indexed'"))
    return study_id


def gap(engine: Engine) -> Gap:
    with engine.connect() as connection:
        return changeover.gap(connection, in_use=OLD.id, wanted=NEW.id)


def missing(engine: Engine, after: int = 0, limit: int = 100) -> list[changeover.MissingImage]:
    with engine.connect() as connection:
        return changeover.missing(
            connection, in_use=OLD.id, wanted=NEW.id, after=after, limit=limit
        )


def fill(engine: Engine, images: Sequence[changeover.MissingImage], **also: Any) -> int:
    filled = [
        Filled(one.id, unit(1, 0, number), {"sha256": one.sha256}, **also)
        for number, one in enumerate(images)
    ]
    with engine.begin() as connection:
        return changeover.fill(connection, in_use=OLD.id, wanted=NEW, filled=filled)


def switch(engine: Engine, **how: Any) -> Gap:
    with engine.begin() as connection:
        found = changeover.switch(connection, NEW, **how)
    assert found.is_done is (used(engine) == NEW.id) or found.gap == Gap(0, 0, 0)
    return found.gap


def used(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = spaces.in_use(connection)
    return None if found is None else found.id


def test_all_is_missing_then_less_then_nothing(archive: Engine) -> None:
    assert gap(archive) == Gap(ARCHIVE, ARCHIVE, 0)
    images = missing(archive)
    assert [image.study_instance_uid for image in images] == ["1.0", "1.1", "1.2"]
    assert fill(archive, images[:2]) == 2
    assert missing(archive) == images[2:]
    assert gap(archive) == Gap(ARCHIVE, 1, 0)
    assert fill(archive, images) == 1  # those that are there are not written twice
    assert gap(archive) == Gap(ARCHIVE, 0, 0)


def test_missing_images_come_in_pages(archive: Engine) -> None:
    [first] = missing(archive, limit=1)
    assert missing(archive, after=first.change) == missing(archive)[1:]


def test_a_missing_image_says_where_its_file_lies(archive: Engine) -> None:
    [first] = missing(archive, limit=1)
    assert (first.sha256, first.recorded_sha256, first.node) == ("aa", "aa", NODE)
    assert first.spool_name == "20260301/1.0.1.1-aa.dcm"
    assert first.image == reference("1.0.1.1")


def test_study_image_and_picture_are_copied(archive: Engine) -> None:
    fill(archive, missing(archive))
    with archive.connect() as connection:
        of_both = connection.execute(
            text(
                "SELECT study_id, modality_group, sop_instance_uid, frame, image, picture "
                "FROM embeddings ORDER BY space_id, study_id"
            )
        ).all()
        [stored] = embeddings.of_study(connection, space_id=NEW.id, study_id=of_both[0].study_id)
    assert of_both[:ARCHIVE] == of_both[ARCHIVE:]
    assert np.array_equal(stored.vector, unit(1, 0, 0))


def test_another_window_brings_its_own_rules_and_picture(archive: Engine) -> None:
    images = missing(archive)
    fill(archive, images, pixel_rules={"window": "other"}, picture=b"other")
    with archive.connect() as connection:
        rows = connection.execute(
            text("SELECT image, picture FROM embeddings WHERE space_id = :new"), {"new": NEW.id}
        ).all()
    image = embeddings.image_of(rows[0].image)
    assert image == replace(reference(image.sop_instance_uid), pixel_rules={"window": "other"})
    assert {bytes(row.picture) for row in rows} == {b"other"}


def test_an_image_of_other_bytes_is_missing_again(archive: Engine) -> None:
    fill(archive, missing(archive))
    with archive.begin() as connection:
        work(connection, "1.1", sha256="bb")
    assert gap(archive) == Gap(ARCHIVE, 1, 1)
    fill(archive, missing(archive))
    assert gap(archive) == Gap(ARCHIVE, 0, 0)


def test_what_the_space_in_use_has_no_more_is_retired(archive: Engine) -> None:
    fill(archive, missing(archive))
    with archive.begin() as connection:
        embeddings.retire_study(connection, space_id=OLD.id, study_id=row_of(connection, "1.2"))
    assert gap(archive) == Gap(ARCHIVE - 1, 0, 1)
    with archive.begin() as connection:
        assert changeover.retire_surplus(connection, in_use=OLD.id, wanted=NEW.id) == 1
        assert changeover.retire_surplus(connection, in_use=OLD.id, wanted=NEW.id) == 0
    assert gap(archive) == Gap(ARCHIVE - 1, 0, 0)


def test_an_image_retired_meanwhile_is_not_written(archive: Engine) -> None:
    images = missing(archive)
    with archive.begin() as connection:
        embeddings.retire_study(connection, space_id=OLD.id, study_id=row_of(connection, "1.0"))
    assert fill(archive, images) == ARCHIVE - 1


@pytest.mark.parametrize("vector", [unit(1, 2), np.array([1, 0, np.nan], np.float32)])
def test_a_bad_vector_does_not_enter(archive: Engine, vector: Any) -> None:
    [image, *_] = missing(archive)
    with archive.begin() as connection, pytest.raises(VectorError):
        changeover.fill(
            connection, in_use=OLD.id, wanted=NEW, filled=[Filled(image.id, vector, {})]
        )


def test_after_a_switch_elsewhere_nothing_is_filled_any_more(archive: Engine) -> None:
    images = missing(archive)
    switch(archive, incomplete=True)
    with pytest.raises(NotInUseError):
        fill(archive, images)


def test_after_a_switch_elsewhere_nothing_is_retired_any_more(archive: Engine) -> None:
    """Or a slow node would take out of the space in use what only the old one has no more."""
    fill(archive, missing(archive))
    switch(archive)
    with archive.begin() as connection:
        embeddings.retire_study(connection, space_id=OLD.id, study_id=row_of(connection, "1.0"))
    assert gap(archive).surplus == 1
    with archive.begin() as connection, pytest.raises(NotInUseError):
        changeover.retire_surplus(connection, in_use=OLD.id, wanted=NEW.id)


def test_a_space_that_is_wanted_no_more_is_not_filled(archive: Engine) -> None:
    images = missing(archive)
    with archive.begin() as connection:
        spaces.unwant(connection)
    with pytest.raises(NotInUseError):
        fill(archive, images)


def test_it_switches_only_when_nothing_is_missing(archive: Engine) -> None:
    images = missing(archive)
    fill(archive, images[1:])
    assert switch(archive) == Gap(ARCHIVE, 1, 0)
    assert used(archive) == OLD.id
    fill(archive, images)
    assert switch(archive) == Gap(ARCHIVE, 0, 0)
    assert used(archive) == NEW.id
    assert switch(archive) == Gap(0, 0, 0)  # it answers already


def test_a_switch_leaves_no_surplus(archive: Engine) -> None:
    fill(archive, missing(archive))
    with archive.begin() as connection:
        embeddings.retire_study(connection, space_id=OLD.id, study_id=row_of(connection, "1.0"))
    switch(archive)
    with archive.connect() as connection:
        assert embeddings.live_count(connection, space_id=NEW.id) == ARCHIVE - 1


def _while_it_waits(engine: Engine, meanwhile: Callable[[Connection], object]) -> Gap:
    """A switch that has looked through the archive, and that a worker keeps from its end."""
    found: list[Gap] = []
    switching = threading.Thread(target=lambda: found.append(switch(engine)))
    with engine.begin() as connection:
        assert spaces.hold(connection, OLD.id)
        switching.start()
        wait_until(lambda: _waits(engine), "the switch to wait")
        meanwhile(connection)
    switching.join()
    return found[0]


def _waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(connection.execute(waiting).scalar_one())


def test_what_a_worker_writes_at_the_last_moment_keeps_it_from_switching(archive: Engine) -> None:
    fill(archive, missing(archive))
    found = _while_it_waits(archive, lambda connection: work(connection, "1.9"))
    assert (found.missing, used(archive)) == (1, OLD.id)


def test_what_a_worker_retires_at_the_last_moment_is_not_in_the_new_space(archive: Engine) -> None:
    fill(archive, missing(archive))

    def set_aside(connection: Connection) -> None:
        embeddings.retire_study(connection, space_id=OLD.id, study_id=row_of(connection, "1.2"))

    found = _while_it_waits(archive, set_aside)
    assert (found.missing, used(archive)) == (0, NEW.id)
    with archive.connect() as connection:
        assert embeddings.live_count(connection, space_id=NEW.id) == ARCHIVE - 1


def test_given_up_at_the_last_moment_it_does_not_switch_by_itself(archive: Engine) -> None:
    fill(archive, missing(archive))
    with archive.begin() as connection:
        spaces.unwant(connection)
    switch(archive, only_if_wanted=True)
    assert used(archive) == OLD.id


def _states(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT study_instance_uid, state FROM studies"))
        return dict(rows.all())


def test_studies_left_behind_are_set_aside_until_they_come_again(archive: Engine) -> None:
    fill(archive, missing(archive)[1:])
    switch(archive, incomplete=True)
    assert _states(archive) == {"1.0": "failed", "1.1": "indexed", "1.2": "indexed"}
    with archive.begin() as connection:
        again = replace(received("1.0", "1.0.1.1"), spool_name="again.dcm")
        connection.execute(text("UPDATE instances SET spool_name = NULL"))
        assert studies.record(connection, again, received_by=NODE) is studies.Recorded.RESTORED


def test_switching_back_indexes_again_what_was_set_aside(archive: Engine) -> None:
    switch(archive, incomplete=True)
    assert set(_states(archive).values()) == {"failed"}
    with archive.begin() as connection:
        connection.execute(
            text("UPDATE studies SET reason = 'unreadable' WHERE study_instance_uid = '1.0'")
        )
        changeover.switch(connection, OLD, incomplete=True)
    assert _states(archive) == {"1.0": "failed", "1.1": "indexed", "1.2": "indexed"}


def test_what_was_left_behind_is_not_retired_as_surplus(archive: Engine) -> None:
    """Back in the old space all is there, but for what was retired since."""
    fill(archive, missing(archive)[1:])
    switch(archive, incomplete=True)
    with archive.begin() as connection:
        embeddings.retire_study(connection, space_id=NEW.id, study_id=row_of(connection, "1.2"))
        changeover.switch(connection, OLD)
        assert [
            embeddings.of_study(connection, space_id=OLD.id, study_id=row_of(connection, uid)) == []
            for uid in ("1.0", "1.1", "1.2")
        ] == [False, False, True]


def test_before_anything_was_in_use_there_is_nothing_to_switch_from(engine: Engine) -> None:
    assert switch(engine) == Gap(0, 0, 0)

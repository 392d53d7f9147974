"""Spaces side by side: which answers, which is wanted, who holds and who waits."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import spaces
from storage.spaces import Maker
from tests.storage.made import add_study, space, unit
from tests.waiting import wait_until

A, B, C = (space(name=name) for name in "abc")
BY_NAME = Maker("made", "/w.safetensors", "bf16")


def _used(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = spaces.in_use(connection)
    return None if found is None else found.id


def _wanted(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found = spaces.wanted(connection)
    return None if found is None else found.id


def test_the_space_taken_into_use_last_answers(engine: Engine) -> None:
    assert _used(engine) is None
    for taken in (A, B, A):
        with engine.begin() as connection:
            spaces.use(connection, taken)
        assert _used(engine) == taken.id


def test_it_answers_though_the_servers_clock_was_set_back(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A)
        connection.execute(text("UPDATE spaces SET used_since = now() + interval '1 day'"))
        spaces.use(connection, B)
    assert _used(engine) == B.id


def test_how_its_encoder_is_made_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A, BY_NAME)
        spaces.use(connection, A)
        known = spaces.known_in_use(connection)
        assert known is not None
        assert (known.summary, known.maker) == (A, BY_NAME)


def test_what_a_later_version_tells_of_a_maker_is_passed_over(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A, Maker("made"))
        connection.execute(text("""UPDATE spaces SET maker = '{"name": "made", "soul": 1}'"""))
        known = spaces.known_in_use(connection)
        assert known is not None
        assert known.maker == Maker("made")


def test_one_space_is_wanted_at_a_time(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A)
        spaces.want(connection, B, BY_NAME)
        spaces.want(connection, C, BY_NAME)
    assert (_used(engine), _wanted(engine)) == (A.id, C.id)


def test_a_space_taken_into_use_is_wanted_no_more(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A)
        spaces.want(connection, B, BY_NAME)
        spaces.use(connection, B)
        assert [entry.id for entry in spaces.known(connection)] == [B.id, A.id]
    assert (_used(engine), _wanted(engine)) == (B.id, None)


def test_wanted_again_it_goes_on_and_wanted_anew_it_begins(engine: Engine) -> None:
    def progress() -> object:
        with engine.connect() as connection:
            found = spaces.wanted(connection)
            return None if found is None else (found.progress, found.wanted_since)

    with engine.begin() as connection:
        spaces.want(connection, B, BY_NAME)
        spaces.tell(connection, B.id, lambda told: told.update(images=7))
    first = progress()
    with engine.begin() as connection:
        spaces.want(connection, B, BY_NAME)
    assert progress() == first
    with engine.begin() as connection:
        assert spaces.unwant(connection) == [B.id]
        assert not spaces.is_wanted(connection, B.id)
        spaces.want(connection, B, BY_NAME, switch=False)
        found = spaces.wanted(connection)
        assert found is not None
        assert found.progress == {"switch": False}


def test_several_tell_of_a_space_and_nothing_is_lost(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.want(connection, B, BY_NAME)

    def tell(node: str) -> None:
        def once_more(told: spaces.Progress) -> None:
            told[node] = told.get(node, 0) + 1

        for _ in range(20):
            with engine.begin() as connection:
                spaces.tell(connection, B.id, once_more)

    tellers = [threading.Thread(target=tell, args=(node,)) for node in "xyz"]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    with engine.connect() as connection:
        found = spaces.wanted(connection)
    assert found is not None
    assert found.progress == {"switch": True, "x": 20, "y": 20, "z": 20}


def test_telling_of_a_space_that_is_gone_does_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.tell(connection, "gone", lambda told: told.update(images=1))


@pytest.mark.parametrize(("asked", "holds"), [(A.id, True), (B.id, False), ("none", False)])
def test_only_the_space_in_use_can_be_held(engine: Engine, asked: str, holds: bool) -> None:
    with engine.begin() as connection:
        spaces.use(connection, B)
        spaces.use(connection, A)
        assert spaces.hold(connection, asked) is holds


def test_nobody_takes_another_into_use_while_it_is_held(engine: Engine) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A)

    def take() -> None:
        with engine.begin() as connection:
            spaces.use(connection, B)

    taking = threading.Thread(target=take)
    with engine.begin() as holding, engine.begin() as also:
        assert spaces.hold(holding, A.id)
        assert spaces.hold(also, A.id)  # workers do not wait for each other
        taking.start()
        wait_until(lambda: _waits(engine), "the switch to wait")
        assert _used(engine) == A.id
    taking.join()
    assert _used(engine) == B.id


def _waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(connection.execute(waiting).scalar_one())


def _removed(connection: Connection, space_id: str) -> None:
    while not spaces.remove(connection, space_id):
        pass


def test_a_removed_space_takes_its_vectors_with_it(engine: Engine) -> None:
    with engine.begin() as connection:
        for taken in (B, A):
            add_study(connection, taken, f"1.2.{taken.id[-1]}", [unit(1, 0, 0, 0)])
        _removed(connection, B.id)
        left = connection.execute(text("SELECT DISTINCT space_id FROM embeddings")).scalars()
        assert list(left) == [A.id]
        assert [entry.id for entry in spaces.known(connection)] == [A.id]


@pytest.mark.parametrize("kept", [A, B])
def test_a_space_that_is_needed_is_not_removed(engine: Engine, kept: object) -> None:
    with engine.begin() as connection:
        spaces.use(connection, A)
        spaces.want(connection, B, BY_NAME)
        with pytest.raises(ValueError, match="in use, or being filled"):
            spaces.remove(connection, replace(A, id=getattr(kept, "id", "")).id)

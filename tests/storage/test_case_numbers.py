"""Case numbers: stable, keyed, found again, and telling nothing of the UID."""

import pytest
from sqlalchemy import Engine

from storage.case_numbers import case_number, find, key_of_archive
from tests.storage.made import add_study, space, unit

KEY = bytes.fromhex("0b" * 20)


def _archive(engine: Engine, *uids: str) -> bytes:
    with engine.begin() as connection:
        for uid in uids:
            add_study(connection, space(), uid, [unit(1, 2, 3, 4)])
        return key_of_archive(connection)


def test_a_number_is_the_first_sixty_bits_of_the_keyed_hash() -> None:
    """RFC 4231, case 1: b0344c61d8db385…; 5 bits a symbol: 22 0 26 4 24 24 14 24 27 12 28 5."""
    assert case_number(KEY, "Hi There") == "P0T4-RRER-VCW5"


def test_another_key_gives_another_number() -> None:
    assert case_number(KEY, "1.2.3") != case_number(KEY + b"\0\1", "1.2.3")


def test_the_archive_keeps_its_key(engine: Engine) -> None:
    key = _archive(engine)
    assert len(key) == 32
    with engine.begin() as connection:
        assert key_of_archive(connection) == key


@pytest.mark.parametrize("write", [str, str.lower, lambda number: number.replace("-", " ")])
def test_a_study_is_found_by_its_number(engine: Engine, write: object) -> None:
    assert callable(write)
    key = _archive(engine, "1.2.3", "1.2.4")
    with engine.begin() as connection:
        assert find(connection, write(case_number(key, "1.2.4"))) == ["1.2.4"]


def test_misread_letters_are_understood(engine: Engine) -> None:
    """No number has an I, an L or an O."""
    key = _archive(engine, *(f"1.2.{place}" for place in range(40)))
    number = next(n for n in (case_number(key, f"1.2.{p}") for p in range(40)) if "0" in n)
    assert not set(number) & set("ILOU")
    with engine.begin() as connection:
        assert len(find(connection, number.replace("0", "O"))) == 1


@pytest.mark.parametrize("number", ["", "P0T4", "1.2.3", "P0T4-RRER-VCW5-0", "☃"])
def test_what_is_no_number_finds_nothing(engine: Engine, number: str) -> None:
    _archive(engine, "1.2.3")
    with engine.begin() as connection:
        assert find(connection, number) == []

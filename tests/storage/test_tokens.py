"""Tokens in the database: made once, found by their secret, ended."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from storage import tokens
from storage.tokens import PREFIX, TokenError


def test_a_token_is_found_by_its_secret_and_only_its_digest_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        secret = tokens.create(connection, "orthanc", ["read", "feedback", "read"])
        kept = connection.execute(text("SELECT sha256, scopes FROM tokens")).one()
        found = tokens.of_secret(connection, secret)
    assert (bytes(kept.sha256), kept.scopes) == (
        hashlib.sha256(secret.encode()).digest(),
        ["feedback", "read"],
    )
    assert found is not None
    assert (found.name, sorted(found.scopes)) == ("orthanc", ["feedback", "read"])
    assert secret.startswith(PREFIX)
    assert len(secret) == len(PREFIX) + 43  # 256 bits in base64


@pytest.mark.parametrize(
    "secret", ["", "likeness_", "\0", "\ud800".encode("utf-8", "replace").decode(), "x" * 10_000]
)
def test_what_is_no_secret_finds_nothing(engine: Engine, secret: str) -> None:
    with engine.begin() as connection:
        tokens.create(connection, "orthanc", ["read"])
        assert tokens.of_secret(connection, secret) is None


@pytest.mark.parametrize(("minutes", "is_good"), [(-1, False), (1, True)])
def test_a_token_expires(engine: Engine, minutes: int, is_good: bool) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    with engine.begin() as connection:
        secret = tokens.create(connection, "short", ["read"], expires_at=ends)
        found = tokens.of_secret(connection, secret)
    assert (found is not None) == is_good


def test_a_revoked_token_is_gone_for_good(engine: Engine) -> None:
    with engine.begin() as connection:
        secret = tokens.create(connection, "lost", ["admin"])
        tokens.revoke(connection, "lost")
        assert tokens.of_secret(connection, secret) is None
        [left] = tokens.every(connection)
        assert left.revoked_at is not None
        with pytest.raises(TokenError, match="no token named lost"):
            tokens.revoke(connection, "lost")
        with pytest.raises(TokenError, match="there is, or was, a token named lost"):
            tokens.create(connection, "lost", ["read"])


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "a" * 65, "é", "a\n", "a\0"])
def test_a_name_that_the_audit_could_not_tell_is_refused(engine: Engine, name: str) -> None:
    with engine.begin() as connection, pytest.raises(TokenError, match="is no name of a token"):
        tokens.create(connection, name, ["read"])


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "all"]])
def test_scopes_that_there_are_not_are_refused(engine: Engine, scopes: list[tokens.Scope]) -> None:
    with engine.begin() as connection, pytest.raises(TokenError, match="one or more of the scopes"):
        tokens.create(connection, "name", scopes)


def test_use_is_noted_once_a_minute(engine: Engine) -> None:
    with engine.begin() as connection:
        secret = tokens.create(connection, "busy", ["read"])
    used = []
    for ago in (None, "30 seconds", "61 seconds"):
        with engine.begin() as connection:
            if ago is not None:
                back = text("UPDATE tokens SET last_used_at = now() - CAST(:ago AS interval)")
                connection.execute(back, {"ago": ago})
            before = tokens.every(connection)[0].last_used_at
            tokens.of_secret(connection, secret)
            used.append(tokens.every(connection)[0].last_used_at != before)
    assert used == [True, False, True]

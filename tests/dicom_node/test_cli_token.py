"""``likeness token``: the secret on stdout, the talk on stderr, faults in one line."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from dicom_node.cli import main
from storage import tokens
from tests.dicom_node.command_line import Likeness


def _made(likeness: Likeness, *arguments: str) -> str:
    ran = likeness("token", "create", *arguments)
    assert ran.code == 0, ran.err
    return str(ran.out).removesuffix("\n")


def test_only_the_secret_is_printed_and_it_is_good(likeness: Likeness, engine: Engine) -> None:
    ran = likeness("token", "create", "orthanc", "--scope", "read", "--scope", "feedback")
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert "token orthanc (feedback, read) is good until it is revoked" in ran.err
    assert ran.out.strip() not in ran.err
    with engine.connect() as connection:
        token = tokens.of_secret(connection, ran.out.strip())
    assert token is not None
    assert (token.name, sorted(token.scopes)) == ("orthanc", ["feedback", "read"])


def test_a_token_may_be_good_for_some_days(likeness: Likeness, engine: Engine) -> None:
    secret = _made(likeness, "trial", "--scope", "read", "--days", "30")
    with engine.connect() as connection:
        token = tokens.of_secret(connection, secret)
    assert token is not None
    assert token.expires_at is not None
    left = token.expires_at - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


def test_tokens_are_listed_with_where_they_stand(likeness: Likeness, engine: Engine) -> None:
    assert "there is no token" in likeness("token", "list").err
    for name in ("good", "old", "gone"):
        _made(likeness, name, "--scope", "admin", "--days", "1")
    assert likeness("token", "revoke", "gone").code == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE tokens SET expires_at = now() WHERE name = 'old'"))
    listed = json.loads(likeness("token", "list", "--json").out)
    states = {token["name"]: token["state"] for token in listed}
    assert states == {"gone": "revoked", "good": "good", "old": "expired"}
    assert all(token["scopes"] == ["admin"] for token in listed)
    head, *rows = likeness("token", "list").out.splitlines()
    assert head.split()[:3] == ["name", "scopes", "state"]
    assert [row.split()[2] for row in rows] == ["revoked", "good", "expired"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["create", "a b", "--scope", "read"], "'a b' is no name of a token"),
        (["create", "taken", "--scope", "read"], "there is, or was, a token named taken"),
        (["revoke", "nobody"], "there is no token named nobody that could be revoked"),
    ],
)
def test_what_cannot_be_done_is_told(
    likeness: Likeness, arguments: list[str], expected: str
) -> None:
    _made(likeness, "taken", "--scope", "read")
    assert expected in likeness("token", *arguments).could_not()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create"],
        ["create", "name"],
        ["create", "name", "--scope", "write"],
        ["create", "name", "--scope", "read", "--days", "0"],
        ["create", "name", "--scope", "read", "--days", "36501"],
        ["create", "name", "--scope", "read", "--days", "soon"],
        ["revoke"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", *arguments])
    assert ended.value.code == 2

"""Tokens at the door: every path without one, with a wrong one, and with one that is too small."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from dicom_node.http.access import NEEDS
from dicom_node.http.caller import is_of_this_machine
from dicom_node.http.door_memory import Complaints, RememberedTokens
from dicom_node.http.openapi import openapi
from dicom_node.http.routes import archive_routes
from storage import tokens
from storage.tokens import SCOPES, Scope, Token
from tests.dicom_node.archive_of_made import STUDIES, made_archive, settings_of
from tests.dicom_node.http_doors import METRICS, Door, app_over, make_token, running
from tests.storage.made import NODE

FIRST = STUDIES[0]
REALM = 'Bearer realm="Likeness"'
OPEN = ("/livez", "/readyz")


def _operations() -> list[tuple[str, str]]:
    """From the description, as a caller would have them: method and path."""
    return [
        (method.upper(), path.format(uid=FIRST, name="page.css"))
        for path, item in openapi()["paths"].items()
        for method in item.keys() - {"parameters"}
    ]


GUARDED = sorted(operation for operation in _operations() if operation[1] not in OPEN)


async def _hidden(_request: Request) -> Response:
    return PlainTextResponse("nobody may read this")


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """The whole service; callers need tokens, and one route is in no table."""
    made_archive(engine, tmp_path)
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    with running(engine, free_port, [*routes, Route("/hidden", _hidden)]) as opened:
        yield opened


@pytest.fixture
def local(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """The same, where callers on this machine need no token."""
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    with running(engine, free_port, routes, loopback_without_token=True) as opened:
        yield opened


def test_the_description_asks_for_what_the_table_says() -> None:
    for path, item in openapi()["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                need = NEEDS[method.upper(), path]
                expected = [] if need == "nothing" else [{"token": [need]}]
                assert operation["security"] == expected


def test_no_operation_works_without_a_good_token(door: Door) -> None:
    with door.engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        expired = tokens.create(connection, "expired", SCOPES, expires_at=past)
        revoked = tokens.create(connection, "revoked", SCOPES)
        tokens.revoke(connection, "revoked")
    assert len(GUARDED) == len(NEEDS) - len(OPEN)
    for method, path in GUARDED:
        for secret in ("", "likeness_wrong", expired, revoked):
            answer = replace(door, secret=secret).ask(path, method)
            assert answer.refusal()[0] == 401, (method, path, secret)
            assert answer.headers["WWW-Authenticate"] == REALM
    assert door.asked_by() == []


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_opens_its_paths_and_no_other(door: Door, scope: Scope) -> None:
    own = door.with_token("small", scope)
    described = {(m, p.format(uid=FIRST, name="page.css")): need for (m, p), need in NEEDS.items()}
    for method, path in GUARDED:
        answer = own.ask(path, method)
        if described[method, path] == scope:
            assert answer.status not in {401, 403}, (method, path)
        else:
            status, detail = answer.refusal()
            assert (status, described[method, path] in detail) == (403, True)
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_health_is_told_to_everybody(door: Door) -> None:
    assert [door.ask(path).status for path in OPEN] == [200, 200]
    assert [door.ask(path, Authorization="Bearer wrong").status for path in OPEN] == [200, 200]


def test_a_route_in_no_table_is_not_reachable(door: Door) -> None:
    known = door.with_token("all")
    assert door.ask("/hidden").refusal()[0] == 401
    assert known.ask("/hidden").refusal()[0] == 404
    assert known.ask("/metrics%0a").refusal()[0] == 404


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {0}", "{0}", "Bearer {0} {0}", "Bearer {0},", "Bearer  x{0}"],
)
def test_a_header_that_holds_no_bearer_token_is_refused(door: Door, header: str) -> None:
    secret = make_token(door.engine, "good")
    assert door.ask("/metrics", Authorization=header.format(secret)).refusal()[0] == 401
    assert door.ask("/metrics", Authorization=f"bearer {secret}").body == METRICS


def test_a_token_is_refused_as_soon_as_it_is_revoked(door: Door) -> None:
    known = door.with_token("short-lived")
    assert known.ask("/metrics").status == 200
    with door.engine.begin() as connection:
        tokens.revoke(connection, "short-lived")
    assert known.ask("/metrics").refusal()[0] == 401


@pytest.mark.parametrize(
    ("user", "asked_by"),
    [
        (None, "http:orthanc"),
        ("dr.jones", "http:orthanc/dr.jones"),
        ("a/b c", "http:orthanc/a/b c"),
    ],
)
def test_the_audit_names_token_and_user(door: Door, user: str | None, asked_by: str) -> None:
    headers = {} if user is None else {"Likeness_User": user}
    assert door.with_token("orthanc").ask(f"/studies/{FIRST}/similar", **headers).status == 200
    assert door.asked_by() == [asked_by]


@pytest.mark.parametrize("user", ["", "x" * 65, "J\xf6rg", "a\x7fb", "a\tb"])
def test_a_user_who_is_no_name_is_refused(door: Door, user: str) -> None:
    answer = door.with_token("orthanc").ask("/metrics", Likeness_User=user)
    status, detail = answer.refusal()
    assert (status, "1 to 64 printable ASCII" in detail) == (400, True)


def test_a_database_that_is_away_is_told_and_health_is_answered(door: Door) -> None:
    known = door.with_token("good")
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE tokens RENAME TO away"))
    for method, path in GUARDED:
        answer = known.ask(path, method)
        assert (answer.refusal()[0], answer.headers["Retry-After"]) == (503, "10")
    assert door.ask("/livez").status == 200
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO tokens"))
    assert known.ask("/metrics").status == 200


def test_metrics_are_had_while_the_database_is_away_by_who_had_them_before(door: Door) -> None:
    known, stranger = door.with_token("prometheus", "read"), door.with_token("new", "read")
    small = door.with_token("small", "admin")
    assert [each.ask("/metrics").status for each in (known, small)] == [200, 403]
    with door.engine.begin() as connection:
        connection.execute(text("ALTER TABLE tokens RENAME TO away"))
    assert known.ask("/metrics").body == METRICS
    assert known.ask(f"/studies/{FIRST}").refusal()[0] == 503
    assert [each.ask("/metrics").status for each in (stranger, small)] == [503, 403]


def _token(name: str, ends_in_s: float | None = None) -> Token:
    now = datetime.now(UTC)
    ends = None if ends_in_s is None else now + timedelta(seconds=ends_in_s)
    return Token(name, frozenset({"read"}), now, ends, None, None)


def test_tokens_are_remembered_until_they_are_good_no_more() -> None:
    remembered = RememberedTokens(most=2)
    for secret, ends in (("a", None), ("b", 60.0), ("c", -1.0)):
        remembered.note(secret, _token(secret, ends))
    kept = [remembered.of(secret) for secret in "abc"]
    assert [token and token.name for token in kept] == [None, "b", None]  # a made room, c is over
    remembered.note("b", None)
    assert remembered.of("b") is None


def test_this_machine_needs_no_token_where_the_settings_say_so(local: Door) -> None:
    assert local.ask("/metrics").body == METRICS
    assert local.ask("/metrics", Authorization="Bearer wrong").refusal()[0] == 401
    small = local.with_token("small", "feedback")
    assert small.ask("/metrics").refusal()[0] == 403


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("?", False),
    ],
)
def test_loopback_addresses_are_of_this_machine(address: str, is_ours: bool) -> None:
    assert is_of_this_machine(address) == is_ours


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("10.1.2.3", 401)])
def test_who_is_elsewhere_needs_a_token_all_the_same(
    engine: Engine, address: str, status: int
) -> None:
    """Called as the server calls it: these tests have no other machine to ask from."""
    app = app_over(engine, [], loopback_without_token=True)
    host = (b"host", b"localhost")  # as whoever is elsewhere may say
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [host]}
    seen: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        seen.append(message)

    asyncio.run(app({**scope, "query_string": b"", "client": (address, 1)}, receive, send))
    assert seen[0]["status"] == status


@pytest.mark.parametrize("header", ["Forwarded", "X_Forwarded_For", "Via"])
def test_what_a_proxy_passes_on_is_not_of_this_machine(local: Door, header: str) -> None:
    assert local.ask("/metrics", **{header: "10.1.2.3"}).refusal()[0] == 401


def test_another_name_of_the_node_is_for_those_with_a_token(local: Door) -> None:
    """Else a web page could have its own host's name resolve to this machine."""
    for path in ("/metrics", "/livez"):
        assert local.ask(path, Host="evil.example").refusal()[0] == 421
    assert local.with_token("proxy").ask("/metrics", Host="likeness.example").status == 200


def test_the_log_names_addresses_and_no_tokens(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            door.ask("/metrics", Authorization="Bearer likeness_guess")
    assert caplog.messages == ["a wrong token over HTTP from 127.0.0.1"] * 10


def test_what_was_not_logged_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    complaints = Complaints(most=2, clock=lambda: now[0])
    for _ in range(7):
        complaints.of("10.0.0.1")
    now[0] = 60.0
    complaints.of("10.0.0.2")
    one, other = (f"a wrong token over HTTP from 10.0.0.{number}" for number in (1, 2))
    assert caplog.messages == [one, one, "5 more wrong tokens over HTTP were not logged", other]

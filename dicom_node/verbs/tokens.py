"""The verbs of access tokens for the HTTP service: made, listed, revoked."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import positive, verb
from dicom_node.verbs.speech import put, put_json, say
from storage import tokens
from storage.tokens import SCOPES, Token

MOST_DAYS = 36_500
"""A hundred years: a date beyond the calendar's end cannot be kept."""


def run_create(chosen: argparse.Namespace, settings: Settings) -> int:
    """A token for a caller of the HTTP service; its secret is printed once, and kept nowhere."""
    ends = None if chosen.days is None else datetime.now(UTC) + timedelta(days=chosen.days)
    with open_database(settings) as engine, engine.begin() as connection:
        secret = tokens.create(connection, chosen.name, chosen.scope, expires_at=ends)
    until = "until it is revoked" if ends is None else f"until {_minute(ends)}"
    say(f"token {chosen.name} ({', '.join(sorted(set(chosen.scope)))}) is good {until};")
    say("this is the only time that its secret is shown:")
    put(secret)
    return 0


def run_list(chosen: argparse.Namespace, settings: Settings) -> int:
    """The tokens that there are and were, without their secrets."""
    with open_database(settings) as engine, engine.connect() as connection:
        found = tokens.every(connection)
    now = datetime.now(UTC)
    if chosen.json:
        put_json([_json(token, now) for token in found])
    elif found:
        put(_table([_HEAD, *(_row(token, now) for token in found)]))
    else:
        say("there is no token: `likeness token create NAME --scope read` makes one")
    return 0


def run_revoke(chosen: argparse.Namespace, settings: Settings) -> int:
    """Ends a token: whoever shows it is refused from now on."""
    with open_database(settings) as engine, engine.begin() as connection:
        tokens.revoke(connection, chosen.name)
    say(f"token {chosen.name} is revoked")
    return 0


_HEAD = ("name", "scopes", "state", "made", "expires", "last used")


def _row(token: Token, now: datetime) -> tuple[str, ...]:
    times = (token.created_at, token.expires_at, token.last_used_at)
    told = ("-" if time is None else _minute(time) for time in times)
    return (token.name, ",".join(sorted(token.scopes)), _state(token, now), *told)


def _json(token: Token, now: datetime) -> dict[str, Any]:
    times = {
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
    return {
        "name": token.name,
        "scopes": sorted(token.scopes),
        "state": _state(token, now),
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "good"


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _days(text: str) -> int:
    days = positive(text)
    if days > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_DAYS}")
    return days


def add_verbs(verbs: Any) -> None:
    """``likeness token create|list|revoke``."""
    actions = verbs.add_parser(
        "token", help="Access tokens of the HTTP service: create, list, revoke."
    ).add_subparsers(dest="action", required=True)
    create = verb(actions, "create", run_create)
    create.add_argument("name", metavar="NAME", help="whom it is for, as the audit will say")
    create.add_argument(
        "--scope", action="append", required=True, choices=SCOPES, help="may be given several times"
    )
    create.add_argument("--days", type=_days, help="how long it is good (default: for ever)")
    verb(actions, "list", run_list).add_argument("--json", action="store_true")
    verb(actions, "revoke", run_revoke).add_argument("name", metavar="NAME")

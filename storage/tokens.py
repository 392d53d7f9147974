"""Access tokens of the HTTP service: only their digests are kept."""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Literal, get_args

from sqlalchemy import Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from storage.tables import Token as TokenRow

Scope = Literal["read", "feedback", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SECRET_BYTES = 32
PREFIX = "likeness_"
"""Tells people, and programs that look for lost secrets, what it is."""


class TokenError(ValueError):
    """A token that cannot be made or revoked; the message says why."""


@dataclass(frozen=True)
class Token:
    """What is known of a token, its secret aside. ``expires_at`` None: never."""

    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def create(
    connection: Connection,
    name: str,
    scopes: Collection[Scope],
    *,
    expires_at: datetime | None = None,
) -> str:
    """Makes a token and returns its secret, which is kept nowhere: 256 random bits.

    Raises:
        TokenError: the name is no name or taken, or no scope is given.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise TokenError(
            f"{name!r} is no name of a token: up to 64 letters, digits, dots, dashes, underscores"
        )
    if _is_address(name):
        raise TokenError(f"{name} is an address: in the audit nobody could tell it from a caller's")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise TokenError(f"a token needs one or more of the scopes {', '.join(SCOPES)}")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    made = connection.execute(
        insert(TokenRow)
        .values(name=name, scopes=sorted(set(scopes)), sha256=_digest(secret))
        .values(expires_at=expires_at)
        .on_conflict_do_nothing(index_elements=[TokenRow.name])
        .returning(TokenRow.id)
    ).scalar_one_or_none()
    if made is None:
        raise TokenError(f"there is, or was, a token named {name}: choose another name")
    return secret


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _digest(secret: str) -> bytes:
    # No salt and no slow hash: the secret is random, there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


_UNNOTED = or_(
    TokenRow.last_used_at.is_(None),
    TokenRow.last_used_at < func.now() - text("interval '1 minute'"),
)


def of_secret(connection: Connection, secret: str) -> Token | None:
    """The token of a secret; None if it is unknown, revoked or expired.

    Notes once a minute that it was used.
    """
    row = connection.execute(
        select(TokenRow, _UNNOTED.label("unnoted")).where(
            TokenRow.sha256 == _digest(secret),
            TokenRow.revoked_at.is_(None),
            or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > func.now()),
        )
    ).one_or_none()
    if row is None:
        return None
    if row._mapping["unnoted"]:
        noted = update(TokenRow).where(TokenRow.id == row._mapping["id"], _UNNOTED)
        connection.execute(noted.values(last_used_at=func.now()))
    return _token(row)


def every(connection: Connection) -> list[Token]:
    """All tokens that ever were, by name."""
    return [_token(row) for row in connection.execute(select(TokenRow).order_by(TokenRow.name))]


def revoke(connection: Connection, name: str) -> None:
    """Ends a token; whoever uses it is refused from the next request on.

    Raises:
        TokenError: no live token has that name.
    """
    ended = connection.execute(
        update(TokenRow)
        .where(TokenRow.name == name, TokenRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(TokenRow.id)
    ).scalar_one_or_none()
    if ended is None:
        raise TokenError(f"there is no token named {name} that could be revoked")


def _token(row: Row[*tuple[object, ...]]) -> Token:
    said = row._mapping
    return Token(
        name=said["name"],
        scopes=frozenset(said["scopes"]),
        created_at=said["created_at"],
        expires_at=said["expires_at"],
        revoked_at=said["revoked_at"],
        last_used_at=said["last_used_at"],
    )

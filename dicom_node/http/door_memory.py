"""What the door remembers of tokens: those that were good, and how many were wrong."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic

from storage.tokens import Token

log = logging.getLogger(__name__)

COMPLAINTS_A_MINUTE = 10
MOST_REMEMBERED = 100


class RememberedTokens:
    """What the database said last of the tokens shown last; the secrets by their digests only."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._tokens: dict[bytes, Token] = {}

    def note(self, secret: str, token: Token | None) -> None:
        """Remembers a token, or forgets it if it is good no more."""
        digest = _digest(secret)
        self._tokens.pop(digest, None)
        if token is not None:
            self._tokens[digest] = token
        if len(self._tokens) > self._most:
            del self._tokens[next(iter(self._tokens))]

    def of(self, secret: str) -> Token | None:
        """The token, if it was good and has not expired since."""
        token = self._tokens.get(_digest(secret))
        if token is None or token.expires_at is None:
            return token
        return token if token.expires_at > datetime.now(UTC) else None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


class Complaints:
    """Logs who shows wrong tokens: so often a minute, then only how often it happened."""

    def __init__(
        self, most: int = COMPLAINTS_A_MINUTE, clock: Callable[[], float] = monotonic
    ) -> None:
        self._most = most
        self._clock = clock
        self._began = clock()
        self._count = 0

    def of(self, address: str) -> None:
        """Says that a wrong token came from an address; never which."""
        if self._clock() - self._began >= 60:
            if self._count > self._most:
                log.warning("%d more wrong tokens over HTTP were not logged", self._left_out())
            self._began, self._count = self._clock(), 0
        self._count += 1
        if self._count <= self._most:
            log.warning("a wrong token over HTTP from %s", address)

    def _left_out(self) -> int:
        return self._count - self._most

"""Who asks: the token's name or the address, and the person at the caller's end."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

USER_HEADER = "Likeness-User"
MOST_USER_CHARACTERS = 64


class NoUserError(ValueError):
    """The header says nobody's name; the message says what it may hold."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    ``token`` is the name of the token that was shown, None where none was needed. ``user`` is who
    asks at the caller's end, by its own word.
    """

    address: str
    token: str | None = None
    user: str | None = None

    @property
    def door(self) -> str:
        """The caller without the person, such as ``http:orthanc``."""
        return f"http:{self.token or self.address}"

    @property
    def asked_by(self) -> str:
        """In the words of the audit, such as ``http:orthanc/dr.jones``."""
        return self.door if self.user is None else f"{self.door}/{self.user}"


def caller_of(request: Request) -> Caller:
    """Who sent a request that the door let in."""
    found: Caller = request.state.caller
    return found


def address_of(scope: Scope) -> str:
    """The address that a request comes from, "?" where the server does not tell."""
    return address_in(scope.get("client")) or "?"


def address_in(client: Sequence[object] | None) -> str | None:
    """The address in the pair of address and port that a server tells, None without one."""
    return str(client[0]) if client else None


def user_of(headers: Headers) -> str | None:
    """The person whom the caller names; None if it names nobody.

    Raises:
        NoUserError: what it says is no name.
    """
    said = headers.getlist(USER_HEADER)
    if not said:
        return None
    name = said[0]
    if len(said) > 1 or not (
        0 < len(name) <= MOST_USER_CHARACTERS and name.isascii() and name.isprintable()
    ):
        raise NoUserError(
            f"{USER_HEADER} holds one name of 1 to {MOST_USER_CHARACTERS} printable "
            "ASCII characters."
        )
    return name


def is_of_this_machine(address: str) -> bool:
    """Whether an address is a loopback address; an IPv4 one may come mapped into IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback

"""The door: who may ask for what (RFC 6750), before anything is done for anybody."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dicom_node.http.access import WITHOUT_DATABASE, Need, needs_of
from dicom_node.http.blocking import Threads
from dicom_node.http.caller import Caller, NoUserError, address_of, is_of_this_machine, user_of
from dicom_node.http.door_memory import Complaints, RememberedTokens
from dicom_node.http.hosts import names_loopback
from dicom_node.http.problems import problem
from storage import tokens
from storage.tokens import Token

FindToken = Callable[[str], Token | None]
"""The live token of a secret, None if there is none; it may ask the database, so it may wait."""

REALM = 'Bearer realm="Likeness"'
CHECK_S = 3.0

_PASSED_ON = ("forwarded", "x-forwarded-for", "via")
_NO_TOKEN = "Show a token that is good here: Authorization: Bearer TOKEN."  # noqa: S105


class NotLetInError(Exception):
    """Somebody is not let in; ``response`` tells him so."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def finder(engine: Engine) -> FindToken:
    """Looks tokens up in the database, each time anew: a revoked one is refused at once."""
    each_by_itself = engine.execution_options(isolation_level="AUTOCOMMIT")

    def find(secret: str) -> Token | None:
        with each_by_itself.connect() as connection:
            return tokens.of_secret(connection, secret)

    return find


class TokenDoor:
    """Lets in who shows a token whose scope is enough, and leaves the ``Caller`` in the state.

    Where ``loopback_without_token``, callers from this machine need none if they address it by a
    loopback name: a web page that a user here opens may have its own host's name resolve to
    127.0.0.1 (DNS rebinding), but its requests carry that name. Nor are requests that a proxy on
    this machine passed on, and says so, from this machine.
    """

    def __init__(
        self, app: ASGIApp, *, find_token: FindToken, loopback_without_token: bool
    ) -> None:
        self._app = app
        self._find = find_token
        self._loopback_is_enough = loopback_without_token
        self._checking = Threads("checking a token", threads=2, patience_s=CHECK_S)
        self._complaints = Complaints()
        self._remembered = RememberedTokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 400, 401, 403, 404, 405, 421 or 503."""
        if scope["type"] != "http":
            return
        answer: ASGIApp = self._app
        try:
            scope.setdefault("state", {})["caller"] = await self._let_in(scope)
        except NotLetInError as refused:
            answer = refused.response
        await answer(scope, receive, send)

    async def _let_in(self, scope: Scope) -> Caller:
        headers, needs = Headers(scope=scope), needs_of(scope["path"])
        if needs.get(scope["method"]) == "nothing":
            return _anybody(scope, headers)
        token = await self._token(scope, headers)
        _must_be_enough(token, scope["method"], needs)
        try:
            user = user_of(headers)
        except NoUserError as fault:
            raise NotLetInError(problem(HTTPStatus.BAD_REQUEST, str(fault))) from fault
        return Caller(address_of(scope), None if token is None else token.name, user)

    async def _token(self, scope: Scope, headers: Headers) -> Token | None:
        """The token; None where none is needed."""
        shown, address = headers.getlist("authorization"), address_of(scope)
        if not shown and self._loopback_is_enough and _asks_here(headers, address):
            _must_name_loopback(headers)
            return None
        if not shown:
            raise _unknown()
        secret = _secret(shown)
        token = None if secret is None else await self._known(secret, scope["path"])
        if token is None:
            self._complaints.of(address)
            raise _unknown()
        return token

    async def _known(self, secret: str, path: str) -> Token | None:
        try:
            token = await self._checking.run(self._find, secret)
        except HTTPException as fault:  # the database does not answer
            remembered = self._remembered.of(secret)
            if remembered is not None and path in WITHOUT_DATABASE:
                return remembered
            status = HTTPStatus(fault.status_code)
            raise NotLetInError(problem(status, fault.detail, headers=fault.headers)) from fault
        self._remembered.note(secret, token)
        return token


def _anybody(scope: Scope, headers: Headers) -> Caller:
    address = address_of(scope)
    if is_of_this_machine(address):
        _must_name_loopback(headers)
    return Caller(address)


def _asks_here(headers: Headers, address: str) -> bool:
    return is_of_this_machine(address) and not any(name in headers for name in _PASSED_ON)


def _must_name_loopback(headers: Headers) -> None:
    if not names_loopback(headers.get("host")):
        detail = "Call this service as localhost or 127.0.0.1, or show a token."
        raise NotLetInError(problem(HTTPStatus.MISDIRECTED_REQUEST, detail))  # RFC 9110 15.5.20


def _secret(shown: list[str]) -> str | None:
    """The token in the header (RFC 6750 2.1), None where it holds none or is there twice."""
    found = re.fullmatch(r"bearer +([A-Za-z0-9._~+/-]{1,256}=*)", shown[0].strip(), re.IGNORECASE)
    return found[1] if found and len(shown) == 1 else None


def _must_be_enough(token: Token | None, method: str, needs: Mapping[str, Need]) -> None:
    if not needs:
        raise NotLetInError(problem(HTTPStatus.NOT_FOUND, "There is nothing at this path."))
    need = needs.get(method)
    if need is None:
        allowed = {"Allow": ", ".join(sorted(needs))}
        detail = "This path does not take this method."
        raise NotLetInError(problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=allowed))
    if token is not None and need not in token.scopes:
        told = {"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{need}"'}
        detail = f"This needs a token with the scope {need}; a scope includes no other."
        raise NotLetInError(problem(HTTPStatus.FORBIDDEN, detail, headers=told))


def _unknown() -> NotLetInError:
    """The same for a token that is missing, unknown, expired or revoked (RFC 6750 3)."""
    told = {"WWW-Authenticate": REALM}
    return NotLetInError(problem(HTTPStatus.UNAUTHORIZED, _NO_TOKEN, headers=told))

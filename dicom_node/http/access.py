"""What each path asks of a token: the one table that the door and the description go by."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

from starlette.routing import compile_path

from storage.tokens import Scope

Need = Scope | Literal["nothing"]
"""The scope of the token that is needed; "nothing" where no token is."""

STUDY = "/studies/{uid}"
FEEDBACK = "/feedback"
PAGE = "/ui/studies/{uid}"
STATIC = "/ui/static/{name}"

NEEDS: Mapping[tuple[str, str], Need] = MappingProxyType(
    {
        ("GET", "/livez"): "nothing",
        ("GET", "/readyz"): "nothing",
        ("GET", "/metrics"): "read",
        ("GET", "/openapi.json"): "read",
        ("GET", STUDY): "read",
        ("GET", f"{STUDY}/similar"): "read",
        ("GET", f"{STUDY}/image.png"): "read",
        ("POST", f"{STUDY}/close"): "admin",
        ("GET", f"{STUDY}/report"): "read",
        ("POST", f"{STUDY}/report"): "feedback",
        ("GET", f"{STUDY}/report/picture"): "read",
        ("GET", f"{STUDY}/labels"): "read",
        ("PUT", f"{STUDY}/labels"): "admin",
        ("POST", FEEDBACK): "feedback",
        ("GET", PAGE): "read",
        ("GET", STATIC): "read",
    }
)
"""By method and path, as Starlette writes paths. What is not in here is not there for anybody."""

WITHOUT_DATABASE = frozenset({"/metrics"})
"""Open to a token that was good when it was last looked up, while the database is away: it is then
that somebody looks at them, and they hold nothing of patients."""


def needs_of(path: str) -> Mapping[str, Need]:
    """What each method of a request's path needs; empty where there is no such path.

    HEAD is GET without the body (RFC 9110 9.3.2).
    """
    needs = {
        method: need
        for (method, template), need in NEEDS.items()
        if _pattern(template).fullmatch(path)
    }
    return needs | ({"HEAD": needs["GET"]} if "GET" in needs else {})


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(template)[0]

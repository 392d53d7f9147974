# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who asks, as far as Orthanc or a proxy before it has made sure of that."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from orthanc_plugin.configuration import Configuration

_MOST = 64


def user_of(headers: Mapping[str, str], configuration: Configuration) -> str:
    """The user's name for the node's audit, in printable ASCII; empty if it is not known.

    That of a proxy counts first, then that of Orthanc's own users: to them Orthanc has let in no
    one without the password, so the name in the request is theirs.
    """
    named = headers.get(configuration.user_header, "") if configuration.user_header else ""
    return _printable(named) or _printable(_registered(headers, configuration.authenticated_users))


def _registered(headers: Mapping[str, str], users: frozenset[str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        said = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    name = said.partition(":")[0]
    return name if name in users else ""


def _printable(name: str) -> str:
    return "".join(one if " " <= one <= "~" else "?" for one in name.strip())[:_MOST]

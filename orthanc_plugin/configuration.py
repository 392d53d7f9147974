# SPDX-License-Identifier: AGPL-3.0-or-later
"""The section "Likeness" of Orthanc's configuration, read and checked as a whole."""

from __future__ import annotations

import difflib
import json
import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SECTION = "Likeness"
VIEWERS = ("auto", "web-viewer", "stone-webviewer", "ohif")
FIRST_USER_METADATA, LAST_USER_METADATA = 1024, 65535
"""Numbers below are Orthanc's own."""


class Configuration(NamedTuple):
    """What the site has set; the documentation says what each is for.

    Attributes:
        url: of the node, without a slash at its end.
        token: sent as a bearer token; empty where the node asks for none.
        certificate_authority: a PEM file with those that may have signed the node's certificate.
        timeout_s: how long the node may take to answer, in seconds.
        modality: the node's name in Orthanc's DicomModalities.
        forward: whether stable studies are sent to the node.
        sweep_at_start: whether what was missed is looked for when Orthanc starts.
        jobs_at_once: how many studies are sent at the same time.
        retry_s: the first wait after a study could not be sent, in seconds.
        metadata: the number of the user metadata that marks a study as sent.
        metadata_name: under which Orthanc lists it: its number, unless UserMetadata names it.
        viewer: one of ``VIEWERS``.
        user_header: in which request header a proxy names the user, in small letters; or empty.
        authenticated_users: whom Orthanc itself asks for a password.
    """

    url: str
    token: str = ""
    certificate_authority: str = ""
    timeout_s: float = 10.0
    modality: str = "likeness"
    forward: bool = True
    sweep_at_start: bool = True
    jobs_at_once: int = 1
    retry_s: float = 5.0
    metadata: int = 27211
    metadata_name: str = "27211"
    viewer: str = "auto"
    user_header: str = ""
    authenticated_users: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """All but the token, which must not stand in a log."""
        return f"Configuration(url={self.url!r}, modality={self.modality!r})"


class Read(NamedTuple):
    """A configuration, or why there is none; ``warnings`` do not keep it from being used."""

    configuration: Configuration | None
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


_KEYS = frozenset(
    {
        *("Url", "Token", "TokenFile", "CertificateAuthority", "TimeoutSeconds", "UserHeader"),
        *("Modality", "Forward", "SweepAtStart", "JobsAtOnce", "RetrySeconds", "Metadata"),
        "Viewer",
    }
)
_NUMBERS: Mapping[str, tuple[float, float, str]] = {
    "TimeoutSeconds": (0.1, 120, "seconds from 0.1 to 120"),
    "RetrySeconds": (0.1, 3600, "seconds from 0.1 to 3600"),
    "JobsAtOnce": (1, 8, "a whole number from 1 to 8"),
    "Metadata": (FIRST_USER_METADATA, LAST_USER_METADATA, "a whole number from 1024 to 65535"),
}
_WHOLE = ("JobsAtOnce", "Metadata")


def read_configuration(text: str) -> Read:
    """The section in Orthanc's configuration.

    Args:
        text: the whole configuration, as ``orthanc.GetConfiguration`` gives it.
    """
    whole = json.loads(text)
    section = whole.get(SECTION)
    if not isinstance(section, dict):
        return Read(None, (f'{SECTION}: no such section; add "{SECTION}": {{"Url": "http://…"}}',))
    reading = _Reading(section)
    metadata = int(reading.number("Metadata", 27211))
    found = Configuration(
        url=reading.url(),
        token=reading.token(),
        certificate_authority=reading.certificates(),
        timeout_s=reading.number("TimeoutSeconds", 10.0),
        modality=reading.name("Modality", "likeness"),
        forward=reading.switch("Forward"),
        sweep_at_start=reading.switch("SweepAtStart"),
        jobs_at_once=int(reading.number("JobsAtOnce", 1)),
        retry_s=reading.number("RetrySeconds", 5.0),
        metadata=metadata,
        metadata_name=_listed_as(metadata, whole),
        viewer=reading.one_of("Viewer", VIEWERS),
        user_header=reading.name("UserHeader", "").lower(),
        authenticated_users=_authenticated_users(whole),
    )
    reading.check_keys()
    if reading.faults:
        return Read(None, tuple(reading.faults), tuple(reading.warnings))
    return Read(found, (), tuple(reading.warnings))


class _Reading:
    """Reads value by value, and goes on after a fault with the default."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self._section = section
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def fault(self, key: str, what: str) -> None:
        self.faults.append(f"{SECTION}.{key}: {what}")

    def check_keys(self) -> None:
        for key in sorted(self._section.keys() - _KEYS):
            near = difflib.get_close_matches(key, _KEYS, 1)
            self.fault(key, f"unknown; {f'is {near[0]} meant?' if near else 'leave it out'}")

    def name(self, key: str, default: str) -> str:
        value = self._section.get(key, default)
        if isinstance(value, str) and (value == default or re.fullmatch(r"[\w.-]{1,64}", value)):
            return value
        self.fault(key, "is no name; use up to 64 letters, digits, dots, dashes")
        return default

    def switch(self, key: str) -> bool:
        value = self._section.get(key, True)
        if isinstance(value, bool):
            return value
        self.fault(key, f"is {value!r}; write true or false")
        return False

    def number(self, key: str, default: float) -> float:
        least, most, form = _NUMBERS[key]
        value = self._section.get(key, default)
        kinds = int if key in _WHOLE else (int, float)
        if isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        self.fault(key, f"is {value!r}; write {form}")
        return default

    def one_of(self, key: str, names: tuple[str, ...]) -> str:
        value = self._section.get(key, names[0])
        if value in names:
            return str(value)
        self.fault(key, f"is {value!r}; write one of {', '.join(names)}")
        return names[0]

    def url(self) -> str:
        value = self._section.get("Url")
        if not isinstance(value, str):
            self.fault("Url", 'is missing; write the node\'s address, such as "http://host:8080"')
            return ""
        wrong = _fault_of_url(value)
        if wrong:
            self.fault("Url", wrong)
        elif value.startswith("http:") and not _is_loopback(value):
            self.warnings.append(
                f"{SECTION}.Url: the token, patients' pictures and the scripts of Orthanc's pages "
                "travel unencrypted; use https for another host"
            )
        return value.rstrip("/")

    def token(self) -> str:
        given = [key for key in ("Token", "TokenFile") if key in self._section]
        if len(given) > 1:
            self.fault("TokenFile", "stands beside Token; keep one of them")
        if not given:
            self.warnings.append(
                f"{SECTION}.Token: none; the node must let this machine in without one"
            )
            return ""
        value = self._section[given[0]]
        if given[0] == "TokenFile":
            value = self._content(value)
        # the value itself is told to no one, and anything else cannot stand in a header
        if isinstance(value, str) and re.fullmatch(r"[!-~]{1,512}", value):
            return value
        if value is not None:
            self.fault(given[0], "holds no token; make one with: likeness token create NAME")
        return ""

    def _content(self, path: object) -> str | None:
        try:
            return Path(str(path)).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else "no text"
            self.fault("TokenFile", f"{path} cannot be read ({why}) by Orthanc's user")
            return None

    def certificates(self) -> str:
        path = self._section.get("CertificateAuthority", "")
        if path == "":
            return ""
        try:
            ssl.create_default_context(cafile=str(path))
        except OSError as fault:  # those of ssl are among them
            why = fault.strerror or fault
            self.fault("CertificateAuthority", f"{path} cannot be used ({why}); name a PEM file")
        return str(path)


def _fault_of_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "is no address; write http(s)://host:port"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "is no address; write http(s)://host:port"
    if parts.username is not None or parts.query or parts.fragment:
        return "holds a user, a query or a fragment; write http(s)://host:port/path only"
    if not re.fullmatch(r"[!-~]+", value):
        return "holds characters that no address has; write http(s)://host:port"
    return ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _listed_as(number: int, whole: Mapping[str, Any]) -> str:
    """An entry of UserMetadata is a number, or a list of a number and a media type."""
    named = whole.get("UserMetadata")
    for name, value in named.items() if isinstance(named, dict) else ():
        if number == (value[0] if isinstance(value, list) and value else value):
            return str(name)
    return str(number)


def _authenticated_users(whole: Mapping[str, Any]) -> frozenset[str]:
    """Whom Orthanc knows by password; none where it asks for none, since then anyone says anything.

    Orthanc asks for passwords by default where other hosts may call it.
    """
    asked = whole.get("AuthenticationEnabled", whole.get("RemoteAccessAllowed", False))
    users = whole.get("RegisteredUsers")
    return frozenset(users) if asked is True and isinstance(users, dict) else frozenset()

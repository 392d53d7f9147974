"""The names by which this machine calls itself."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def names_loopback(host: str | None) -> bool:
    """Whether a Host header names this machine; none at all comes with HTTP/1.0 only.

    No browser speaks HTTP/1.0.
    """
    if host is None:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False

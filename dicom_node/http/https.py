"""HTTPS by the profile that the DICOM door has: TLS 1.2 with the suites of RFC 9325, and 1.3."""

import asyncio
import ssl
from typing import Any

from dicom_node.settings import HttpSettings, TlsSettings
from dicom_node.tls import server_context

HANDSHAKE_S = 10.0


def https_context(settings: HttpSettings) -> ssl.SSLContext | None:
    """What connections are wrapped in; None where the service speaks plain HTTP.

    Raises:
        TlsError: a file cannot be used; the message names the setting and the remedy.
    """
    if settings.certificate is None:
        return None
    own = TlsSettings(certificate=settings.certificate, key=settings.key, client_certificates=False)
    return server_context(own, "http")


class ImpatientLoop(asyncio.SelectorEventLoop):
    """Cuts connections whose TLS handshake takes long; asyncio itself would wait a minute."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        """As ``asyncio`` has it."""
        if kwargs.get("ssl") is not None:
            kwargs["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **kwargs)

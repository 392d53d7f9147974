"""What patients' data are given out with: headers that keep it private, and a line in the log."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request

from dicom_node.http.caller import caller_of

log = logging.getLogger(__name__)

PRIVATE: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",  # no page of others may show it
    }
)


def log_disclosure(request: Request, study: str, what: str) -> None:
    """Says who was given what of a study."""
    caller = caller_of(request)
    log.info(
        "%s on study %s given over HTTP to %s at %s", what, study, caller.asked_by, caller.address
    )

"""The files that pages refer to: a fixed list, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "answer.css": "text/css; charset=utf-8",
    "sides.css": "text/css; charset=utf-8",
    "first.js": "text/javascript; charset=utf-8",
    "controls.js": "text/javascript; charset=utf-8",
    "keys.js": "text/javascript; charset=utf-8",
    "hits.js": "text/javascript; charset=utf-8",
    "report.js": "text/javascript; charset=utf-8",
    "sides.js": "text/javascript; charset=utf-8",
    "states.js": "text/javascript; charset=utf-8",
    "viewers.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_FOR_GOOD = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


@dataclass(frozen=True)
class StaticFile:
    """A file with its media type; ``version`` is a digest of its content."""

    content: bytes
    kind: str
    version: str


class StaticFiles:
    """Answers ``/ui/static/{name}``, and tells the addresses that pages use."""

    def __init__(self) -> None:
        self._files = _read()

    async def file(self, request: Request) -> Response:
        """GET of a file; 304 (RFC 9110 15.4.5) where the caller has it.

        Raises:
            HTTPException: 404, no such file.
        """
        found = self._files.get(str(request.path_params["name"]))
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        tag = f'"{found.version}"'
        # An address with the version never means another content, so nobody need ask again.
        is_versioned = request.query_params.get("v") == found.version
        headers = {"ETag": tag, "Cache-Control": _FOR_GOOD if is_versioned else _ASK_AGAIN}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(found.content, headers=headers, media_type=found.kind)

    def address(self, name: str) -> str:
        """The address of a file, relative to a page."""
        return f"../static/{name}?v={self._files[name].version}"


def _read() -> Mapping[str, StaticFile]:
    folder = files("dicom_node.http") / "static"
    contents = {name: (folder / name).read_bytes() for name in _TYPES}
    return {
        name: StaticFile(content, _TYPES[name], sha256(content).hexdigest()[:16])
        for name, content in contents.items()
    }

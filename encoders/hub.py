"""The model hub, through its own library: what it says of a file, and the file's bytes.

Only ``likeness encoders fetch`` comes here. The library's cache is not used: its layout, and what
it writes beside a file, would end up in the folder that is carried to other machines.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from encoders.encoder import EncoderError

_COMMIT, _SHA256 = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Account:
    """At which hub we ask, and who we say we are.

    Attributes:
        endpoint: URL of the hub or of a mirror of it.
        headers: of every request, with the token where there is one. They name this program and no
            more: the library's own would tell which others are installed.
    """

    endpoint: str
    headers: dict[str, str] = field(repr=False)

    @property
    def has_token(self) -> bool:
        """Whether requests say who asks."""
        return "authorization" in self.headers


@dataclass(frozen=True)
class Asked:
    """A file of a repository at some revision."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True)
class Published:
    """What the hub says of a file.

    Attributes:
        commit: that the revision stands for now; 40 hexadecimal digits.
        size: bytes, None where the hub does not say.
        sha256: of its bytes, None where the hub does not say: it does for all large files.
    """

    commit: str
    size: int | None
    sha256: str | None


def account(token_file: Path | None) -> Account:
    """Who we are: by a file with a token, else as the hub's library knows (``HF_TOKEN``).

    ``HF_ENDPOINT`` names a mirror.

    Raises:
        EncoderError: the file holds no token, or the endpoint is no URL.
    """
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).netloc:
        raise EncoderError(f"HF_ENDPOINT is {endpoint!r}, which is no URL of a hub")
    token = None if token_file is None else _token_in(token_file)
    headers = build_hf_headers(token=token, headers={"user-agent": "likeness"})
    return Account(endpoint, headers)


def _token_in(path: Path) -> str:
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderError(f"token file {path} cannot be read: {error}") from error
    if not re.fullmatch(r"[!-~]+", token):
        raise EncoderError(f"token file {path} must hold the token, one word, and no more")
    return token


def published(asked: Asked, account: Account) -> Published:
    """What the hub says of a file; a few hundred bytes go over the network.

    Raises:
        EncoderError: no answer, or no such file for us; the message says what to do.
    """
    with _explained(asked, account):
        found = get_hf_file_metadata(
            _url(asked, account), token=False, headers=account.headers, endpoint=account.endpoint
        )
    if not _COMMIT.fullmatch(found.commit_hash or ""):
        raise EncoderError(
            f"{account.endpoint} answers, but not as a model hub does (no commit): is it the right "
            "HF_ENDPOINT, or does a proxy answer in its place?"
        )
    sha256 = found.etag if _SHA256.fullmatch(found.etag or "") else None
    return Published(found.commit_hash, found.size, sha256)


def download(asked: Asked, account: Account, file: BinaryIO, size: int | None) -> None:
    """Append the bytes that a file lacks, with a progress bar where a person looks on.

    Args:
        asked: with a commit as its revision, so that what was there belongs to it.
        account: as for ``published``.
        file: opened for appending; what it holds is the beginning.
        size: of the whole, bytes; where nobody knows, the file must be empty.

    Raises:
        EncoderError: it could not be had to its end; what came stays in the file.
    """
    with _explained(asked, account, "What came is kept, and the same command goes on from there. "):
        http_get(
            _url(asked, account),
            file,
            resume_size=file.tell(),
            headers=account.headers,
            expected_size=size,
            displayed_filename=asked.file,
        )


def _url(asked: Asked, account: Account) -> str:
    url: str = hf_hub_url(
        asked.repository, asked.file, revision=asked.revision, endpoint=account.endpoint
    )
    return url


@contextmanager
def _explained(asked: Asked, account: Account, comfort: str = "") -> Iterator[None]:
    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.headers.get("X-Error-Code", "")
        why = refusal(asked, account, error.response.status_code, code)
        raise EncoderError(why) from error
    except HFValidationError as error:
        raise EncoderError(f"the hub can have no such repository: {error}") from error
    except (HTTPError, ConnectionError) as error:
        raise EncoderError(
            f"{account.endpoint} gives no answer ({error or type(error).__name__}). {comfort}"
            "Behind a proxy set HTTPS_PROXY, for a mirror HF_ENDPOINT; without network fetch on "
            "another machine and copy its folder of weights"
        ) from error


def refusal(asked: Asked, account: Account, status: int, code: str) -> str:
    """What a hub's refusal means, and what to do.

    Args:
        asked: the file.
        account: who asked.
        status: of HTTP.
        code: the hub's own word, header ``X-Error-Code``; empty where it gave none.
    """
    repository = f"{account.endpoint}/{asked.repository}"
    told = {
        "RevisionNotFound": f"{repository} has no revision {asked.revision!r}",
        "EntryNotFound": f"{repository} has no file {asked.file} at revision {asked.revision!r}",
        "GatedRepo": _terms(repository, account),
        "RepoNotFound": _unknown(repository, account),
        "404": f"{repository} has no {asked.file}: does HF_ENDPOINT name a whole mirror?",
    }
    without_word = {401: "RepoNotFound", 403: "GatedRepo"}.get(status, str(status))
    return told.get(code or without_word) or (
        f"{account.endpoint} could not give {asked.file} (HTTP {status}); try again later"
    )


_HOW_TO_SAY_WHO_ASKS = (
    "make a token with read access at https://huggingface.co/settings/tokens, and give it as "
    "--token-file FILE or in HF_TOKEN"
)


def _terms(repository: str, account: Account) -> str:
    terms = f"{repository} is given only to those who accepted its terms: do so on that page"
    if account.has_token:
        return f"{terms} with the account of your token (some authors take days to agree)"
    return f"{terms}, then {_HOW_TO_SAY_WHO_ASKS}"


def _unknown(repository: str, account: Account) -> str:
    if account.has_token:
        return f"{repository} is not there, or the token is not good for it"
    return (
        f"{repository} is not there, or given only to those who say who they are: "
        f"{_HOW_TO_SAY_WHO_ASKS}"
    )

"""Pages without an answer: what is the matter, and what can be done about it."""

from dataclasses import dataclass
from http import HTTPStatus

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from storage.studies import StudyState


@dataclass(frozen=True)
class StatePage:
    """A page that says how things stand.

    ``poll`` is where to ask until that changes, ``send`` where to have the study sent to the
    node, ``again`` the address that may do better: the page's own if it is empty.
    """

    status: HTTPStatus
    title: str
    says: str
    remedy: str = ""
    poll: str | None = None
    send: str | None = None
    again: str = ""
    again_text: str = "Try again"


def not_indexed(state: StudyState) -> StatePage:
    """A study that is awaited, or failed."""
    if state.state == "failed":
        return _failed(state)
    uid = state.study_instance_uid
    says = {
        "open": "Its images are still arriving. Once none has come for a while the study is "
        "closed and indexed.",
        "queued": "All its images are here. It waits for its turn to be indexed.",
    }
    return StatePage(
        HTTPStatus.ACCEPTED,
        "This study is not indexed yet",
        says.get(state.state, ""),
        "This page shows the similar studies as soon as it is done.",
        poll=links.study(uid),
    )


def _failed(state: StudyState) -> StatePage:
    uid = state.study_instance_uid
    return StatePage(
        HTTPStatus.CONFLICT,
        "This study could not be indexed",
        words.clipped(state.reason or "The node does not say why."),
        f"An administrator can have it tried again: likeness retry {uid}",
    )


def unknown(uid: str, *, has_viewer: bool) -> StatePage:
    """A study that the node never received."""
    remedy = (
        "It may not have been sent yet."
        if has_viewer
        else "Send it to the node over DICOM; this page can then be asked for again."
    )
    return StatePage(
        HTTPStatus.NOT_FOUND,
        "This study is not known here",
        f"The node has never received study {uid}.",
        remedy,
        poll=links.study(uid) if has_viewer else None,
        send=links.forward(uid) if has_viewer else None,
    )


def cannot_be_asked(reason: str) -> StatePage:
    """A study that is here and that no question can be made of."""
    return StatePage(
        HTTPStatus.CONFLICT,
        "Nothing can be searched with this study",
        words.clipped(reason),
    )


def no_such_filters(detail: str, without: str) -> StatePage:
    """Filters that are none; ``without`` is the page's address without them."""
    return StatePage(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "These filters cannot be used",
        _sentence(detail),
        again=without,
        again_text="Clear the filters",
    )


def no_such_series(without: str) -> StatePage:
    """A viewer is to show what is no series; ``without`` is the page's address without it."""
    return StatePage(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This is not the address of a series",
        "viewer: no Series Instance UID (PS3.5 9.1).",
        again=without,
        again_text="Show the page without the viewer",
    )


def refused(status: HTTPStatus, detail: str) -> StatePage:
    """What the request itself ran into: an address that is none, a database that is away."""
    title = {
        HTTPStatus.SERVICE_UNAVAILABLE: "The node cannot answer now",
        HTTPStatus.BAD_REQUEST: "This is not the address of a study",
    }.get(status, status.phrase)
    return StatePage(status, title, _sentence(detail))


def _sentence(detail: str) -> str:
    return words.clipped(f"{detail[:1].upper()}{detail[1:]}")

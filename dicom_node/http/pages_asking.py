"""What the address of a page asks for, or the page that says what is wrong with it."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from dicom_node.http import pages_links as links
from dicom_node.http import pages_states as states
from dicom_node.http.asked import BY_FEEDBACK, UIDS, asked
from dicom_node.http.pages_states import StatePage
from dicom_node.http.requests import is_uid
from storage.filters import Filters
from storage.search import Wish

DOOR_HEADER = "Likeness-Door"
VIEWER = "viewer"
"""The parameter that names the series whose viewer stands beside the hits."""
REFINED = ("refine", BY_FEEDBACK)
"""The parameter by which the reader's marks refine the question."""


@dataclass(frozen=True)
class Asking:
    """What the address of the page says; ``has_viewer`` where it is shown through Orthanc."""

    wish: Wish
    viewer_series: str | None
    has_viewer: bool

    @property
    def k(self) -> int | None:
        """How many hits, None if it does not say."""
        return self.wish.k

    @property
    def filters(self) -> Filters:
        """What the hits are narrowed to."""
        return self.wish.filters

    @property
    def is_refined(self) -> bool:
        """Whether the reader's marks are to refine the question."""
        return self.wish.marks.by_reader

    @property
    def kept(self) -> links.Parameters:
        """The parameters that stay when filters change."""
        return [*self.kept_plain, REFINED] if self.is_refined else self.kept_plain

    @property
    def kept_plain(self) -> links.Parameters:
        """The same, without marks."""
        k = [] if self.k is None else [("k", str(self.k))]
        return k if self.viewer_series is None else [*k, (VIEWER, self.viewer_series)]


def asking_of(request: Request, uid: str) -> Asking | StatePage:
    """What a request for the page of a study asks for; a page that says so if it is no sense."""
    series = request.query_params.get(VIEWER) or None
    is_series = series is None or is_uid(series)
    has_viewer = request.headers.get(DOOR_HEADER) == "orthanc"
    try:
        wish = asked(request, extra=(VIEWER,), without=(*UIDS, "strategy"))
    except HTTPException as fault:
        kept = [(VIEWER, series)] if series and is_series else []
        return states.no_such_filters(fault.detail, links.page(uid, kept))
    if not is_series:
        return states.no_such_series(_without_viewer(uid, wish, has_viewer=has_viewer))
    return Asking(wish, series, has_viewer)


def _without_viewer(uid: str, wish: Wish, *, has_viewer: bool) -> str:
    kept = Asking(wish, None, has_viewer).kept
    pairs = [*links.filter_parameters(wish.filters), *kept]
    return links.page(uid, pairs, numbered=has_viewer)

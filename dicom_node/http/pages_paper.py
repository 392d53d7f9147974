"""How pages become HTML: the templates, and the headers that go with every page."""

from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dicom_node.http.pages_states import StatePage
from dicom_node.http.pages_static import StaticFiles
from dicom_node.http.pages_view import AnswerPage
from dicom_node.http.pages_words import COUNTS_OF, NOTICE, PERCENTILE
from dicom_node.settings import PageSettings

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Likeness-Door",
}


class Paper:
    """Writes pages; it may be used by several threads at once."""

    def __init__(self, settings: PageSettings, static: StaticFiles) -> None:
        # Escaping is on whatever a template is called: every text may come from outside.
        self._templates = Environment(
            loader=PackageLoader("dicom_node.http"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            static=static.address,
            settings=settings,
            notice=NOTICE,
            percentile=PERCENTILE,
            counts_of=COUNTS_OF,
        )

    def answer(self, page: AnswerPage) -> str:
        """The HTML of an answer."""
        return self._templates.get_template("answer.html").render(page=page)

    def state(self, page: StatePage) -> HTMLResponse:
        """A page that says how things stand."""
        html = self._templates.get_template("state.html").render(page=page)
        return sheet(html, page.status)


def sheet(html: str, status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    """A page as it goes out."""
    return HTMLResponse(html, status, headers=SECURITY)

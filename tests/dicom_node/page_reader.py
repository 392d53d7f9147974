"""Someone at the page, in a browser that is watched."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page
from sqlalchemy import Engine

from storage import feedback
from tests.dicom_node.page_archive import QUERY
from tests.dicom_node.page_server import PREFIX, OrthancsSide

_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (violation) =>
  console.error(`refused by the policy: ${violation.violatedDirective} ${violation.blockedURI}`));
"""


@dataclass
class Reader:
    """Someone at the page.

    ``faults`` are what the browser complained of: errors of scripts, refusals by the policy,
    resources that could not be had.
    """

    url: str
    engine: Engine
    orthancs_side: OrthancsSide
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def watch(self) -> None:
        """Begins to listen."""
        self.context.add_init_script(_TELL_VIOLATIONS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def open(self, asked: str = QUERY, *, through_orthanc: bool = False) -> Page:
        """Goes to the page of a study, ``asked`` being its UID and what follows in the address."""
        prefix = PREFIX if through_orthanc else ""
        self.page.goto(f"{self.url}{prefix}/ui/studies/{asked}")
        return self.page

    def ranks(self) -> list[str]:
        """The Study Instance UIDs of the hits, in the order in which they stand."""
        cards = self.page.locator("#hits .card")
        return [str(card.get_attribute("data-hit")) for card in cards.all()]

    def focus(self) -> str | None:
        """The id of the card that has the focus."""
        found: str | None = self.page.evaluate("document.activeElement.closest('.card')?.id")
        return found

    def verdicts(self) -> dict[str, str]:
        """What this reader said of the query's hits, by their Study Instance UIDs."""
        with self.engine.connect() as connection:
            return dict(feedback.on_hits_of(connection, QUERY, given_by="http:127.0.0.1"))

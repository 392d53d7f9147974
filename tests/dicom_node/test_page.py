"""The page over HTTP, without a browser: its states, its headers, its escapes, its addresses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, create_engine, text

from dicom_node.settings import PageSettings, SearchSettings
from tests.dicom_node.archive_of_made import set_state
from tests.dicom_node.page_archive import (
    BROKEN_ATTRIBUTE,
    QUERY,
    SCRIPT,
    TWO_VIEWS,
    MadeStudy,
    add,
    good_archive,
    stored,
    two_views_archive,
    ugly_archive,
)
from tests.dicom_node.page_server import PREFIX, page_service

STATIC = "/ui/static/page.css"
LEVEL = 50.0


@dataclass
class Html(HTMLParser):
    """A page taken apart: its elements with their attributes, its text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def classes(self, name: str) -> int:
        """How many elements have a class."""
        return sum(name in (said.get("class") or "").split() for _, said in self.elements)

    def attributes(self, *names: str) -> list[str]:
        """The values of attributes, wherever they stand."""
        return [str(said[name]) for _, said in self.elements for name in names if name in said]


@dataclass(frozen=True)
class Got:
    """A response."""

    status: int
    headers: HTTPMessage
    body: str

    def html(self) -> Html:
        """The page that it is."""
        assert self.headers["Content-Type"] == "text/html; charset=utf-8", self.body
        parser = Html()
        parser.feed(self.body)
        return parser


def get(url: str, path: str, **headers: str) -> Got:
    """GET; a header's underscores become hyphens."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=sent)
    response = connection.getresponse()
    found = Got(response.status, response.headers, response.read().decode())
    connection.close()
    return found


@pytest.fixture
def url(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[str]:
    """Where a node with the good archive is."""
    stored(engine, good_archive())
    with page_service(engine, tmp_path, free_port) as (address, _):
        yield address


def page_of(url: str, asked: str = QUERY, **headers: str) -> Got:
    return get(url, f"/ui/studies/{asked}", **headers)


STATES = [
    (QUERY, 200, "The 10 nearest studies"),
    (f"{QUERY}?k=2", 200, "The 2 nearest studies"),
    (f"{QUERY}?sex=&k=&age_min=&date_from=", 200, "The 10 nearest studies"),
    (f"{QUERY}?modality=CT", 200, "0 studies were searched"),
    ("1.2.1", 202, "still arriving"),
    ("1.2.2", 202, "waits for its turn"),
    ("1.2.3", 409, "the reason of the failure"),
    ("1.2.4", 409, "has no vector"),
    ("1.2.5", 409, "is not kept in this archive to be found"),
    ("1.9.9", 404, "has never received study 1.9.9"),
    ("no-uid", 400, "This is not the address of a study"),
    (f"{QUERY}?age_min=old", 422, "takes a whole number"),
    (f"{QUERY}?viewer=x", 422, "no Series Instance UID"),
    (f"{QUERY}?nonsense=1", 422, "no such parameter"),
]


def test_every_state_is_a_page(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        set_state(connection, "1.2.1", "open")
        set_state(connection, "1.2.2", "queued")
        set_state(connection, "1.2.3", "failed", reason="the reason of the failure")
        set_state(connection, "1.2.5", "answered")
        connection.execute(text("DELETE FROM embeddings WHERE sop_instance_uid ~ '^1.2.[45][.]'"))
    for asked, status, says in STATES:
        found = page_of(url, asked)
        assert (asked, found.status, says in found.body) == (asked, status, True), found.body
        assert found.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert found.html().elements


def test_what_is_wrong_is_left_out_and_nothing_else(url: str) -> None:
    again = {
        "age_min=old&k=3": "./1.2.100",
        "age_min=old&viewer=1.2.3": "./1.2.100?viewer=1.2.3",
        "age_min=old&viewer=x": "./1.2.100",
        "view=AP&k=3&viewer=x": "./1.2.100?view=AP&k=3",
    }
    pages = {asked: page_of(url, f"{QUERY}?{asked}") for asked in again}
    assert {page.status for page in pages.values()} == {422}
    links = {asked: page.html().attributes("href") for asked, page in pages.items()}
    found = {asked: [a for a in all_of if a.startswith("./")] for asked, all_of in links.items()}
    assert found == {asked: [link] for asked, link in again.items()}


def test_each_card_names_the_query_image_that_it_was_compared_with(
    url: str, engine: Engine
) -> None:
    stored(engine, two_views_archive())
    page = page_of(url, f"{TWO_VIEWS}?k=20", Likeness_Door="orthanc").html()
    cards = {str(said["data-hit"]): said for _, said in page.elements if "data-hit" in said}
    for hit, image in {"1.4.1": 1, "1.4.2": 2, "1.4.3": 2}.items():
        at = f"instance={TWO_VIEWS}.1.{image}"
        assert cards[hit]["data-query-picture"] == f"../../studies/{TWO_VIEWS}/image.png?{at}"
        assert cards[hit]["data-query-viewer"] == f"../../viewer/{TWO_VIEWS}.1?{at}"
    assert page.classes("against") == len([c for c in cards if c in {"1.4.2", "1.4.3"}])


def test_hits_below_the_level_are_marked(engine: Engine, tmp_path: Path, free_port: int) -> None:
    stored(engine, [*good_archive(), MadeStudy("1.5.1", -0.9), MadeStudy("1.5.2", -0.8)])
    rule = SearchSettings(level=LEVEL, k=20)
    with page_service(engine, tmp_path, free_port, search=rule) as (url, _):
        page = page_of(url).html()
        hits = json.loads(get(url, f"/studies/{QUERY}/similar").body)["hits"]
    below = [hit for hit in hits if hit["percentile"] < LEVEL]
    assert 2 <= len(below) < len(hits) == 14
    assert page.classes("below") == len(below)
    assert f"Of these, {len(below)} below percentile 50, from which on" in "".join(page.words)


def test_a_database_that_is_away_is_told_as_a_page(tmp_path: Path, free_port: int) -> None:
    away = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    with page_service(away, tmp_path, free_port) as (url, _):
        found = page_of(url)
    assert found.status == 503
    assert "The node cannot answer now" in "".join(found.html().words)


def test_an_archive_without_a_similar_study_says_so(
    engine: Engine, tmp_path: Path, free_port: int
) -> None:
    stored(engine, good_archive())
    with engine.begin() as connection:
        add(connection, MadeStudy("1.5.1", near=-0.9))
    rule = SearchSettings(level=99.5)
    with page_service(engine, tmp_path, free_port, search=rule) as (url, _):
        found = page_of(url, "1.5.1")
    assert "No similar study" in found.body
    assert "not even the nearest reaches percentile 99.5" in found.body


def test_the_policy_of_a_page(url: str) -> None:
    headers = page_of(url).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect", "frame")),
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]


def test_all_addresses_are_relative(url: str) -> None:
    for asked in (QUERY, f"{QUERY}?viewer={QUERY}.1&sex=F", "1.9.9"):
        for prefix in ("", PREFIX):
            page = get(url, f"{prefix}/ui/studies/{asked}").html()
            addresses = page.attributes(
                *("href", "src", "action", "data-poll", "data-report"),
                *("data-picture", "data-viewer", "data-query-picture", "data-query-viewer"),
            )
            assert addresses
            assert [a for a in addresses if a and not a.startswith(("./", "../", "#"))] == []


def test_what_archives_hold_is_text_and_nothing_else(
    engine: Engine, tmp_path: Path, free_port: int
) -> None:
    stored(engine, ugly_archive())
    asked = f"{QUERY}?label=%3Cscript%3Ealert(1)%3C/script%3E&label=x&k=20"
    with page_service(engine, tmp_path, free_port) as (url, _):
        pages = [page_of(url, asked).html(), page_of(url).html()]
    for page in pages:
        scripts = [said for tag, said in page.elements if tag == "script"]
        assert all(said["src"] for said in scripts)
        names = {name for _, said in page.elements for name in said}
        assert [name for name in names if name.startswith("on") or name == "style"] == []
        assert {SCRIPT, BROKEN_ATTRIBUTE} & set(page.words)
        assert "x" not in page.attributes("src")


def test_no_page_tells_who_a_patient_is(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE studies SET patient_id = 'SECRET', description = 'MISTER SECRET'")
        )
    assert "SECRET" not in page_of(url, f"{QUERY}?k=100").body


@pytest.mark.parametrize(("theme", "scores"), [("dark", True), ("light", False)])
def test_the_settings_say_how_it_looks_at_first(
    engine: Engine, tmp_path: Path, free_port: int, theme: str, scores: bool
) -> None:
    stored(engine, good_archive())
    looks = PageSettings.model_validate({"theme": theme, "scores": scores})
    with page_service(engine, tmp_path, free_port, page=looks) as (url, _):
        _, html = page_of(url).html().elements[0]
    assert html["data-theme"] == theme
    assert html["data-scores"] == ("shown" if scores else "hidden")


def test_asking_by_the_page_is_audited(url: str, engine: Engine) -> None:
    page_of(url, f"{QUERY}?view=AP", Likeness_User="dr.jones")
    with engine.connect() as connection:
        row = connection.execute(text("SELECT asked_by, filters FROM queries")).one()
    assert tuple(row) == ("http:127.0.0.1/dr.jones", {"view": "AP"})


def test_files_are_had_once(url: str) -> None:
    first = get(url, STATIC)
    assert (first.status, first.headers["Cache-Control"]) == (200, "private, no-cache")
    again = get(url, STATIC, If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, "")
    (named,) = [a for a in page_of(url).html().attributes("href") if "page.css" in a]
    versioned = get(url, named.replace("../", "/ui/"))
    assert versioned.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_no_other_file_is_given(url: str) -> None:
    names = ("none.js", "..%2fpages.py", "__init__.py", "page.css%00")
    assert [get(url, f"/ui/static/{name}").status for name in names] == [404] * len(names)

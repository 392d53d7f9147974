"""The doors in the real Orthanc: what they pass on, what they refuse, and what they say."""

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.conftest import find_free_port
from tests.end_to_end.orthanc import Answer, Installed, Orthanc
from tests.orthanc_plugin.played_node import (
    Handler,
    PlayedNode,
    breaking_off,
    dripping,
    never,
    played_node,
    replying,
    talking_nonsense,
    well,
    without_end,
)
from tests.orthanc_plugin.plugged import TOKEN, Probe, archive_in
from tests.waiting import wait_until

JSON = {"Content-Type": "application/json"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
UID = "1.2.826.0.1.3680043"


@pytest.fixture(scope="module")
def node_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, node_port: int) -> Iterator[Installed]:
    with archive_in(
        tmp_path_factory.mktemp("doors"),
        scp_port=find_free_port(),
        url=f"http://127.0.0.1:{node_port}",
        user="bob:pass word",
        TimeoutSeconds=0.5,
        Forward=False,
    ) as running:
        yield running


@pytest.fixture
def orthanc(installed: Installed) -> Orthanc:
    return installed.orthanc


@pytest.fixture
def node(orthanc: Orthanc, node_port: int) -> Iterator[PlayedNode]:
    """A node that the plug-in does not take to be away, whatever the test before did."""
    with played_node(node_port) as played:
        wait_until(lambda: orthanc.ask("GET", f"/likeness/studies/{UID}")[0] == 200, "the node")
        played.asked.clear()
        yield played


@pytest.mark.parametrize(
    "path",
    [
        f"ui/studies/{UID}",
        "ui/static/page.css",
        "ui/static/likeness-1.2.min.js",
        f"studies/{UID}",
        f"studies/{UID}/similar",
        f"studies/{UID}/image.png",
        f"studies/{UID}/report",
        f"studies/{UID}/report/picture",
    ],
)
def test_what_is_passed_on(orthanc: Orthanc, node: PlayedNode, path: str) -> None:
    answer = orthanc.exchange("GET", f"/likeness/{path}", headers={"Accept": "text/x-odd"})
    assert (answer.status, answer.body) == (200, b"{}")
    (asked,) = node.asked
    assert (asked.method, asked.path) == ("GET", f"/{path}")
    expected = {
        "host": f"127.0.0.1:{node.port}",
        "accept-encoding": "identity",
        "accept": "text/x-odd",
        "authorization": f"Bearer {TOKEN}",
        "likeness-door": "orthanc",
        "likeness-user": "bob",
    }
    assert asked.headers == expected


def test_a_query_is_passed_on_as_it_was_meant(orthanc: Orthanc, node: PlayedNode) -> None:
    """Through Orthanc a parameter that comes several times has a number."""
    query = "label.0=HER2%2B+tumor&label.1=%C3%B6%26%3D%23&label.7=50%2525&k=5&date_from="
    orthanc.ask("GET", f"/likeness/studies/{UID}/similar?{query}")
    (asked,) = node.asked
    assert parse_qsl(urlsplit(asked.path).query, keep_blank_values=True) == [
        ("label", "HER2+ tumor"),
        ("label", "ö&=#"),
        ("label", "50%25"),
        ("k", "5"),
        ("date_from", ""),
    ]


def test_a_post_is_passed_on(orthanc: Orthanc, node: PlayedNode) -> None:
    node.play = replying(204, b"")
    body = b'{"query": "1.2", "hit": "1.3", "verdict": "similar"}'
    assert orthanc.exchange("POST", "/likeness/feedback", body, JSON).status == 204
    (asked,) = node.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/feedback", body)
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [200, 201, 202, 304, 400, 404, 409, 422, 500, 503])
def test_the_nodes_answer_comes_back(orthanc: Orthanc, node: PlayedNode, status: int) -> None:
    told = {
        "Content_Type": "text/html; charset=utf-8",
        "Content_Security_Policy": "default-src 'none'",
        "ETag": '"abc"',
        "Retry_After": "7",
        "Cache_Control": "no-store",
        "Set_Cookie": "a=b",
        "WWW_Authenticate": "Bearer",
        "X_Odd": "1",
    }
    body = b"" if status == 304 else "<p>ö</p>".encode()
    node.play = replying(status, body, **told)
    answer = orthanc.exchange("GET", f"/likeness/ui/studies/{UID}", headers=PAGE)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["x-content-type-options"] == "nosniff"
    back = {name.replace("_", "-").lower(): value for name, value in told.items()}
    for name in ("set-cookie", "www-authenticate", "x-odd"):
        assert name not in answer.headers
        del back[name]
    assert back.items() <= answer.headers.items()


def test_a_problem_of_the_node_is_shown_to_people_as_a_page(
    orthanc: Orthanc, node: PlayedNode
) -> None:
    document = {"title": "Service Unavailable", "status": 503, "detail": "no <database>"}
    content = json.dumps(document).encode()
    node.play = replying(503, content, Content_Type="application/problem+json")
    path = f"/likeness/ui/studies/{UID}"
    page = orthanc.exchange("GET", path, headers=PAGE)
    assert page.status == 503
    assert b"no &lt;database&gt;" in page.body
    _assert_page(page)
    assert orthanc.exchange("GET", path).body == content


def test_a_picture_comes_back_byte_for_byte(orthanc: Orthanc, node: PlayedNode) -> None:
    content = bytes(range(256)) * 1000
    node.play = replying(200, content, Content_Type="image/png")
    answer = orthanc.exchange("GET", f"/likeness/studies/{UID}/image.png?instance=1.2&frame=3")
    assert (answer.body, answer.headers["content-type"]) == (content, "image/png")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "metrics", 404),
        ("GET", "openapi.json", 404),
        ("GET", "studies/1.2.3/labels", 404),
        ("GET", "studies/1.2.3/close", 404),
        ("POST", "studies/1.2.3/close", 404),
        ("PUT", "studies/1.2.3/labels", 404),
        ("GET", "studies/1.2.a", 404),
        ("GET", "studies/../similar", 404),
        ("GET", "studies/%2e%2e/similar", 404),
        ("GET", "viewer/..", 404),
        ("GET", "studies/" + 65 * "1", 404),
        ("GET", "studies/%D9%A1", 404),
        ("GET", "studies/1.2%0A", 404),
        ("GET", "studies/1.2%2F..%2F..%2Fmetrics", 404),
        ("GET", "ui/static/../../metrics", 404),
        ("GET", "ui/static/.env", 404),
        ("GET", "ui/static/a/b.js", 404),
        ("GET", "ui/studies/http://evil.example/", 404),
        ("GET", "state/study/1.2.3", 404),
        ("GET", "state/patient/00000000-00000000-00000000-00000000-00000000", 404),
        ("GET", "state/study/00000000-00000000-00000000-00000000-00000000", 404),
        ("GET", "feedback", 405),
        ("GET", "forward/1.2.3", 405),
        ("POST", "ui/studies/1.2.3", 405),
        ("DELETE", "studies/1.2.3", 405),
        ("PUT", "studies/1.2.3/report", 405),
        ("POST", "forward/1.2.3", 404),
    ],
)
def test_nothing_else_is_there(
    orthanc: Orthanc, node: PlayedNode, method: str, path: str, status: int
) -> None:
    body = b"{}" if method in {"POST", "PUT"} else None
    answer = orthanc.exchange(method, f"/likeness/{path}", body, JSON)
    assert answer.status == status
    assert node.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere.example"}, 200),
        ({"Origin": "http://{host}"}, 200),
        ({"Origin": "https://pacs.example", "X-Forwarded-Host": "pacs.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
def test_who_may_change_something(
    orthanc: Orthanc, node: PlayedNode, headers: dict[str, str], status: int
) -> None:
    host = f"127.0.0.1:{orthanc.http_port}"
    sent = JSON | {name: value.format(host=host) for name, value in headers.items()}
    assert orthanc.exchange("POST", "/likeness/feedback", b"{}", sent).status == status
    assert len(node.asked) == (status == 200)


def test_a_link_cannot_be_made_a_post(orthanc: Orthanc, node: PlayedNode) -> None:
    """Orthanc makes a POST of it, and a browser without Fetch Metadata sends no Origin."""
    path = f"/likeness/studies/{UID}/report?_method=POST"
    assert orthanc.ask("GET", path)[0] in {400, 415}  # the first by Orthanc, which misses a body
    assert node.asked == []


@pytest.mark.parametrize(
    ("play", "status", "words"),
    [
        (replying(401), 502, "token that Orthanc is set up with"),
        (replying(403), 502, "token's scope"),
        (replying(302, Location="http://169.254.169.254/"), 502, "no Likeness node"),
        (replying(307, Location="/elsewhere"), 502, "no Likeness node"),
        (never, 504, "no whole answer within 0.5 s"),
        (dripping, 504, "no whole answer within 0.5 s"),
        (breaking_off, 503, "broke off (IncompleteRead)"),
        (talking_nonsense, 503, "broke off (BadStatusLine)"),
        (without_end, 503, "longer than 33554432 bytes"),
    ],
)
def test_a_node_that_misbehaves(
    installed: Installed, node: PlayedNode, play: object, status: int, words: str
) -> None:
    node.play = play  # type: ignore[assignment]
    with Probe(installed.orthanc) as probe:
        page = installed.orthanc.exchange("GET", f"/likeness/ui/studies/{UID}", headers=PAGE)
    assert (page.status, len(node.asked)) == (status, 1)
    assert words in html.unescape(page.body.decode())
    assert probe.longest < 0.5
    node.play = well
    _assert_page(page)
    assert TOKEN.encode() not in page.body
    assert TOKEN not in installed.log


def _assert_page(page: Answer) -> None:
    """It asks for nothing, and says so in its Content-Security-Policy."""
    text = page.body.decode()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha")
    assert "<script" not in text
    assert re.findall(r'(?:href|src)="([^"]*)"', text) in ([""], [])


def test_programs_get_a_problem_document(orthanc: Orthanc, node: PlayedNode) -> None:
    node.play = replying(401)
    answer = orthanc.exchange("GET", f"/likeness/studies/{UID}/similar")
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["type"], document["status"]) == ("about:blank", HTTPStatus.BAD_GATEWAY)
    assert "Likeness.Token" in document["remedy"]
    assert TOKEN not in str(document)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("feedback", b"{" + 70_000 * b" " + b"}", 413), ("feedback", 65_536 * b" ", 200)],
)
def test_bodies_are_bounded(
    orthanc: Orthanc, node: PlayedNode, path: str, body: bytes, status: int
) -> None:
    assert orthanc.exchange("POST", f"/likeness/{path}", body, JSON).status == status
    assert len(node.asked) == (status == 200)


@pytest.mark.parametrize("value", ["text/html \u6f22".encode(), b"text/html \xc3\xa9"])
def test_a_header_that_is_no_plain_text_is_left_out(
    installed: Installed, node: PlayedNode, value: bytes
) -> None:
    sent = value.decode("latin-1")  # byte for byte
    headers = {"Accept": sent, "If-None-Match": sent}
    answer = installed.orthanc.exchange("GET", f"/likeness/studies/{UID}", headers=headers)
    assert answer.status == 200
    (asked,) = node.asked
    assert not {"accept", "if-none-match"} & asked.headers.keys()
    assert "a fault of the plug-in" not in installed.log


def test_slow_reports_keep_no_page_from_the_node(orthanc: Orthanc, node: PlayedNode) -> None:
    """Three at once; a fourth is told to come again, pages are shown."""

    def slow_reports(handler: Handler) -> None:
        if handler.command == "POST":
            never(handler)
        handler.reply()

    node.play = slow_reports
    path = f"/likeness/studies/{UID}/report"
    with ThreadPoolExecutor(3) as users:
        for _ in range(3):
            users.submit(orthanc.exchange, "POST", path, b"{}", JSON)
        wait_until(lambda: len(node.asked) == 3, "three reports to be under way")
        assert orthanc.exchange("POST", path, b"{}", JSON).status == 503
        assert orthanc.exchange("GET", f"/likeness/ui/studies/{UID}").status == 200
        node.over.set()


def test_a_query_is_bounded(orthanc: Orthanc, node: PlayedNode) -> None:
    answer = orthanc.exchange("GET", f"/likeness/studies/{UID}/similar?label={9_000 * 'a'}")
    assert answer.status == 414
    assert node.asked == []


def test_a_node_that_is_away_is_told_and_found_again(orthanc: Orthanc, node_port: int) -> None:
    with Probe(orthanc) as probe:
        page = orthanc.exchange("GET", f"/likeness/ui/studies/{UID}", headers=PAGE)
    assert (page.status, page.headers["retry-after"]) == (503, "5")
    assert b"The Likeness node does not answer" in page.body
    _assert_page(page)
    assert probe.longest < 0.5
    with played_node(node_port) as node:
        path = f"/likeness/studies/{UID}"
        assert orthanc.ask("GET", path)[0] == 503  # without another look
        assert node.asked == []
        wait_until(lambda: orthanc.ask("GET", path)[0] == 200, "it to be found again")


def test_a_slow_node_keeps_few_threads_and_orthanc_quick(
    orthanc: Orthanc, node: PlayedNode
) -> None:
    """Of 40 requests at once few reach the node; the others are told to come again."""
    node.play = never
    path = f"/likeness/studies/{UID}/image.png"
    with Probe(orthanc) as probe, ThreadPoolExecutor(40) as users:
        asked = [users.submit(orthanc.ask, "GET", path) for _ in range(40)]
        statuses = Counter(one.result()[0] for one in asked)
    assert statuses[504] < 20  # 12 at once, and who slips in before two are known to be slow
    assert set(statuses) == {503, 504}
    assert len(node.asked) < 20
    assert probe.longest < 0.5
    node.play = well

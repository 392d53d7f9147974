"""The HTTP service over real sockets, asked well and badly."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from time import monotonic

import pytest
from starlette.applications import Starlette

from dicom_node.http.app import Missing, make_app
from dicom_node.http.service import HttpLimits, HttpPortTakenError, HttpService
from dicom_node.settings import HttpSettings
from tests.waiting import wait_until

METRICS = b"# HELP a b\n# TYPE a gauge\na 1.0\n"


def _well() -> Mapping[str, str]:
    return {}


def _broken() -> bytes:
    raise RuntimeError("a secret of the inside")


def _app(ready: Missing = _well, scrape: Callable[[], bytes] = lambda: METRICS) -> Starlette:
    """Whoever is on this machine needs no token, and there is no database."""
    return make_app(
        alive=_well,
        ready=ready,
        scrape=scrape,
        find_token=lambda _: None,
        loopback_without_token=True,
    )


@pytest.fixture
def missing() -> dict[str, str]:
    """What the node says is missing to be ready; a test may add to it."""
    return {}


@pytest.fixture
def port(free_port: int, missing: dict[str, str]) -> Iterator[int]:
    """The port of a running service."""
    limits = HttpLimits(connections=4, idle_s=1)
    with HttpService(HttpSettings(port=free_port), _app(lambda: missing), limits):
        yield free_port


def _ask(
    port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=dict(headers or {}))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def _send(port: int, request: bytes) -> bytes:
    """What comes back, to the end of the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
        except (BrokenPipeError, ConnectionResetError):  # cut in mid-request, as it may
            pass
    return answer


def _is_well(port: int) -> bool:
    return _ask(port, "/livez")[0].status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_node_that_is_well_says_so(port: int, path: str) -> None:
    response, body = _ask(port, path)
    assert (response.status, json.loads(body)) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Server"] is None
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_node_that_is_not_ready_names_what_is_missing(port: int, missing: dict[str, str]) -> None:
    missing["database"] = "does not answer"
    response, body = _ask(port, "/readyz")
    assert response.status == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "database: does not answer",
        "missing": {"database": "does not answer"},
    }
    assert _is_well(port)


def test_metrics_are_served_as_prometheus_expects(port: int) -> None:
    response, body = _ask(port, "/metrics")
    assert (response.status, body) == (200, METRICS)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_answers_wait_for_no_delayed_ack(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    began = monotonic()
    for _ in range(50):
        connection.request("GET", "/livez")
        assert connection.getresponse().read()
    assert monotonic() - began < 1.0  # 50 delayed ACKs of 40 ms are 2 s
    connection.close()


def test_head_is_answered_without_a_body(port: int) -> None:
    response, body = _ask(port, "/metrics", "HEAD")
    assert (response.status, body) == (200, b"")
    assert response.headers["Content-Length"] == str(len(METRICS))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/%00%0d%0aSet-Cookie:a", 404),
        ("GET", "//localhost/livez", 404),
        ("POST", "/metrics", 405),
        ("TRACE", "/livez", 405),
    ],
)
def test_what_is_not_there_is_a_problem(port: int, method: str, path: str, status: int) -> None:
    response, body = _ask(port, path, method)
    document = json.loads(body)
    assert (response.status, document["status"]) == (status, status)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert document["detail"]
    assert (response.headers["Allow"] is not None) == (status == 405)
    assert response.headers["Set-Cookie"] is None


def test_a_fault_of_ours_is_logged_and_tells_nothing(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    broken = HttpService(HttpSettings(port=free_port), _app(scrape=_broken))
    with caplog.at_level(logging.ERROR), broken:
        response, body = _ask(free_port, "/metrics")
        assert _is_well(free_port)
    assert (response.status, json.loads(body)["title"]) == (500, "Internal Server Error")
    assert b"secret" not in body
    wait_until(lambda: caplog.records, "the traceback, logged once the answer is sent")
    [logged] = caplog.records
    assert "a secret of the inside" in str(logged.exc_info)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:11180", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:80", 200),
        ("[::1]:11180", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:11180", 421),
        ("10.0.0.1", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_only_requests_to_this_machine_are_answered(port: int, host: str, status: int) -> None:
    response, body = _ask(port, "/metrics", headers={"Host": host})
    assert response.status == status
    assert (body == METRICS) == (status == 200)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # a TLS ClientHello
        b"GARBAGE\r\n\r\n",
        b"GET /livez\r\n",  # HTTP/0.9
        b"GET /livez HTTP/1.1\r\n\r\n",  # no Host: RFC 9112 3.2
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 10_000_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 10_000_000,
    ],
    ids=["tls", "garbage", "0.9", "no host", "two hosts", "length", "header", "target"],
)
def test_a_broken_request_is_refused(port: int, request_bytes: bytes) -> None:
    answer = _send(port, request_bytes)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert _is_well(port)


@pytest.mark.parametrize("half", [b"", b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nHost: loc"])
def test_a_caller_may_leave_in_mid_request(port: int, half: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(half)
    assert _is_well(port)


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHost: loc",
        b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nhalf",
    ],
)
def test_a_caller_who_says_no_more_is_cut_off(port: int, half: bytes) -> None:
    began = monotonic()
    _send(port, half)
    assert 0.9 <= monotonic() - began < 5  # after 1 s, by the limits above


def test_too_many_connections_are_refused_and_then_let_go(port: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(12)]
    # of the 12, the first 8 are held (twice the limit), the others cut at once
    assert idle[-1].recv(1) == b""
    idle[0].sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert idle[0].recv(65536).startswith(b"HTTP/1.1 503 ")
    for connection in idle[1:]:
        assert connection.recv(1) == b""
    for connection in idle:
        connection.close()
    assert _is_well(port)


def test_one_address_of_the_network_cannot_take_all_connections(free_port: int) -> None:
    ours = _address_on_a_network()
    limits = HttpLimits(connections=16, idle_s=5)
    with HttpService(HttpSettings(bind="0.0.0.0", port=free_port), _app(), limits):
        idle = [socket.create_connection((ours, free_port), timeout=10) for _ in range(6)]
        # a fourth of the 16 is held; the others are cut at once
        assert [one.recv(1) for one in idle[4:]] == [b"", b""]
        assert _is_well(free_port)
        for connection in idle:
            connection.close()


def _address_on_a_network() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only the way there is looked up
        except OSError:
            pytest.skip("left out: this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_a_taken_port_is_told_with_its_remedy(port: int) -> None:
    with (
        pytest.raises(HttpPortTakenError, match=rf"127\.0\.0\.1:{port}: .* set http\.port"),
        HttpService(HttpSettings(port=port), _app()),
    ):
        pass


def test_the_service_stops_within_a_second_and_frees_its_port(free_port: int) -> None:
    service = HttpService(HttpSettings(port=free_port), _app())
    with service, socket.create_connection(("127.0.0.1", free_port)):
        assert _is_well(free_port)
        began = monotonic()
        service.__exit__(None, None, None)
        assert monotonic() - began < 1.5
    assert not service.thread.is_alive()
    with socket.create_server(("127.0.0.1", free_port)):
        pass


def test_livez_answers_while_everything_else_waits(free_port: int) -> None:
    go_on = threading.Event()

    def scrape() -> bytes:
        go_on.wait(30)
        return METRICS

    with HttpService(HttpSettings(port=free_port), _app(scrape=scrape)):
        asked = [threading.Thread(target=_ask, args=(free_port, "/metrics")) for _ in range(20)]
        for thread in asked:
            thread.start()
        assert _is_well(free_port)
        go_on.set()
        for thread in asked:
            thread.join()

"""The doors that the plug-in answers itself: states for the buttons, the viewer, the status."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import find_free_port
from tests.dicom_node.objects import radiograph
from tests.end_to_end.asked_kinds import KINDS
from tests.end_to_end.orthanc import Installed, Orthanc
from tests.orthanc_plugin.played_node import PlayedNode, played_node, replying, well
from tests.orthanc_plugin.plugged import (
    TOKEN,
    archive_in,
    as_file,
    image,
    new_uid,
    put,
    status,
)
from tests.waiting import wait_until

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def node_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, node_port: int) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("inner")
    url = f"http://127.0.0.1:{node_port}"
    with archive_in(folder, scp_port=find_free_port(), url=url, Forward=False) as running:
        yield running


@pytest.fixture
def orthanc(installed: Installed) -> Orthanc:
    return installed.orthanc


@pytest.fixture
def node(orthanc: Orthanc, node_port: int) -> Iterator[PlayedNode]:
    with played_node(node_port) as played:
        wait_until(lambda: orthanc.ask("GET", "/likeness/studies/1.2")[0] == 200, "the node")
        played.asked.clear()
        yield played


def _known(state: str, reason: str = "") -> bytes:
    return json.dumps({"study_instance_uid": "1", "state": state, "reason": reason}).encode()


@pytest.mark.parametrize(
    ("code", "body", "state", "says"),
    [
        (200, _known("open"), "open", "images have arrived, more may come"),
        (200, _known("queued"), "queued", "being indexed"),
        (200, _known("indexed"), "indexed", ""),
        (200, _known("answered"), "answered", ""),
        (200, _known("failed", "no <image> fits"), "failed", "no <image> fits"),
        (404, b"{}", "unknown", "not known to the node"),
        (401, b"{}", "node away", "the node does not tell (HTTP status 401)"),
        (200, b"nonsense", "node away", "the node does not tell (HTTP status 200)"),
    ],
)
def test_the_state_of_a_study(
    orthanc: Orthanc, node: PlayedNode, code: int, body: bytes, state: str, says: str
) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid, PatientName=SCRIPT))
    node.play = replying(code, body)
    told = orthanc.get(f"/likeness/state/study/{study}")
    assert told == {"state": state, "says": says, "page": f"ui/studies/{uid}"}
    (asked,) = node.asked
    assert (asked.path, asked.headers["authorization"]) == (f"/studies/{uid}", f"Bearer {TOKEN}")


def test_the_state_of_a_series_opens_the_page_beside_its_viewer(
    orthanc: Orthanc, node: PlayedNode
) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid))
    (series,) = orthanc.get(f"/studies/{study}")["Series"]
    node.play = replying(200, _known("indexed"))
    told = orthanc.get(f"/likeness/state/series/{series}")
    assert told["page"] == f"ui/studies/{uid}?viewer={uid}.1"


def test_a_study_whose_uid_is_none(orthanc: Orthanc, node: PlayedNode) -> None:
    """Nothing of it may reach a path or a page."""
    study = put(orthanc, image("1.2/../x<script>"))
    told = orthanc.get(f"/likeness/state/study/{study}")
    assert (told["state"], told["page"]) == ("unknown", "status")
    assert node.asked == []


def _slices(orthanc: Orthanc) -> tuple[str, list[dict[str, Any]]]:
    """A study of one CT series, and its instances as Orthanc tells them."""
    uid = new_uid()
    study = put(orthanc, *KINDS["CT"](uid, "P1"))
    return uid, orthanc.get(f"/studies/{study}/instances")


def test_the_web_viewer_opens_at_the_image(orthanc: Orthanc) -> None:
    uid, instances = _slices(orthanc)
    shown = instances[1]
    sop_instance = shown["MainDicomTags"]["SOPInstanceUID"]
    path = f"/likeness/viewer/{uid}.1?instance={sop_instance}&frame=1"
    answer = orthanc.exchange("GET", path)
    assert answer.status == 303
    series, slice_ = shown["ParentSeries"], f"{shown['ID']}_0"
    where = f"../../web-viewer/app/viewer.html?series={series}#instance={slice_}"
    assert answer.headers["location"] == where
    assert slice_ in orthanc.get(f"/web-viewer/series/{series}")["Slices"]


@pytest.mark.parametrize(
    "query", ["", "?instance=", "?instance=1.2.3", "?instance=1.2'\"><b>&frame=-1", "?frame=x"]
)
def test_the_web_viewer_opens_without_a_known_image(orthanc: Orthanc, query: str) -> None:
    uid, instances = _slices(orthanc)
    answer = orthanc.exchange("GET", f"/likeness/viewer/{uid}.1{query}")
    series = instances[0]["ParentSeries"]
    assert answer.headers["location"] == f"../../web-viewer/app/viewer.html?series={series}"


def test_a_series_that_is_not_here(orthanc: Orthanc) -> None:
    answer = orthanc.exchange("GET", "/likeness/viewer/1.2.3", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert b"This Orthanc does not hold the images of this series" in answer.body
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_study_uid_opens_no_viewer(orthanc: Orthanc) -> None:
    uid, _ = _slices(orthanc)
    assert orthanc.exchange("GET", f"/likeness/viewer/{uid}").status == 404


def test_the_status_tells_no_secret(installed: Installed, node: PlayedNode) -> None:
    told = status(installed.orthanc)
    assert told["node"] == node.url
    assert told["forwarding"]["enabled"] is False
    assert TOKEN not in json.dumps(told) + installed.log


def test_the_buttons_are_in_orthanc_explorer(orthanc: Orthanc) -> None:
    answered, script = orthanc.ask("GET", "/plugins/explorer.js")
    assert answered == 200
    assert b"'Similar studies'" in script
    plugins = orthanc.get("/plugins")
    assert "python" in plugins


def test_names_of_patients_reach_neither_the_log_nor_an_answer(
    installed: Installed, node: PlayedNode
) -> None:
    uid = new_uid()
    content = as_file(radiograph(new_uid(), study=uid, PatientName=SCRIPT, PatientID=SCRIPT))
    installed.orthanc.upload_bytes(content)
    (found,) = installed.orthanc.ask("POST", "/tools/lookup", uid.encode())[1:]
    study = json.loads(found)[0]["ID"]
    node.play = well
    for path in (f"state/study/{study}", f"viewer/{uid}.1", "status"):
        assert b"alert" not in installed.orthanc.exchange("GET", f"/likeness/{path}").body
    assert "alert" not in installed.log


def test_the_state_while_the_node_is_away(orthanc: Orthanc) -> None:
    study = put(orthanc, image(new_uid()))
    told = orthanc.get(f"/likeness/state/study/{study}")
    assert (told["state"], told["says"]) == ("node away", "the node does not answer")

"""The section "Likeness": every fault is told, none of them stops Orthanc, no token is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from orthanc_plugin.configuration import Configuration, read_configuration
from tests.conftest import find_free_port
from tests.orthanc_plugin.plugged import archive_in, image, new_uid, put

URL = "http://127.0.0.1:8080"
SECRET = "se cret"


def _read(section: Any, **others: Any) -> Any:
    return read_configuration(json.dumps({"Likeness": section, **others}))


def test_the_defaults() -> None:
    read = _read({"Url": f"{URL}/", "Token": "abc"})
    assert read == (Configuration(url=URL, token="abc"), (), ())
    assert "abc" not in repr(read)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Url": None}, "Likeness.Url: is missing"),
        ({"Url": "node:8080"}, "Likeness.Url: is no address"),
        ({"Url": "ftp://node"}, "Likeness.Url: is no address"),
        ({"Url": "http://"}, "Likeness.Url: is no address"),
        ({"Url": "http://node:port"}, "Likeness.Url: is no address"),
        ({"Url": "http://node:0"}, "Likeness.Url: is no address"),
        ({"Url": "http://[::1"}, "Likeness.Url: is no address"),
        ({"Url": f"http://me:{SECRET}@node"}, "Likeness.Url: holds a user"),
        ({"Url": "http://node/?a=b"}, "Likeness.Url: holds a user, a query"),
        ({"Url": "http://node/a b"}, "Likeness.Url: holds characters"),
        ({"Token": SECRET}, "Likeness.Token: holds no token"),
        ({"Token": "a\r\nX: y"}, "Likeness.Token: holds no token"),
        ({"Token": ""}, "Likeness.Token: holds no token"),
        ({"Token": 5}, "Likeness.Token: holds no token"),
        ({"TokenFile": "/none"}, "Likeness.TokenFile: stands beside Token"),
        ({"Token": ..., "TokenFile": "/none"}, "Likeness.TokenFile: /none cannot be read"),
        ({"CertificateAuthority": "/none"}, "Likeness.CertificateAuthority: /none cannot be used"),
        ({"TimeoutSeconds": 0}, "Likeness.TimeoutSeconds: is 0; write seconds from 0.1"),
        ({"TimeoutSeconds": "5"}, "Likeness.TimeoutSeconds: is '5'; write seconds"),
        ({"RetrySeconds": True}, "Likeness.RetrySeconds: is True; write seconds"),
        ({"JobsAtOnce": 1.5}, "Likeness.JobsAtOnce: is 1.5; write a whole number from 1 to 8"),
        ({"Metadata": 1023}, "Likeness.Metadata: is 1023; write a whole number from 1024"),
        ({"Metadata": 65536}, "Likeness.Metadata: is 65536; write a whole number"),
        ({"Modality": "a/b"}, "Likeness.Modality: is no name"),
        ({"Modality": ""}, "Likeness.Modality: is no name"),
        ({"Forward": "yes"}, "Likeness.Forward: is 'yes'; write true or false"),
        ({"SweepAtStart": 1}, "Likeness.SweepAtStart: is 1; write true or false"),
        ({"Viewer": "weasis"}, "Likeness.Viewer: is 'weasis'; write one of auto, web-viewer"),
        ({"UserHeader": "X: y"}, "Likeness.UserHeader: is no name"),
        ({"Tokens": "a"}, "Likeness.Tokens: unknown; is Token meant?"),
        ({"Nonsense": 1}, "Likeness.Nonsense: unknown; leave it out"),
    ],
)
def test_a_fault_names_the_key_and_the_remedy(changes: dict[str, Any], fault: str) -> None:
    section = {"Url": URL, "Token": "abc"} | changes
    read = _read({key: value for key, value in section.items() if value is not ...})
    assert read.configuration is None
    assert len(read.faults) == 1
    assert read.faults[0].startswith(fault)
    assert SECRET not in str(read)


@pytest.mark.parametrize("section", [None, [], "http://node", 5])
def test_no_section_at_all(section: Any) -> None:
    assert _read(section).faults[0].startswith("Likeness: no such section; add")


def test_all_faults_are_told_at_once() -> None:
    read = _read({"Url": 1, "Viewer": 2, "Forward": 3, "Odd": 4})
    keys = [fault.partition(":")[0] for fault in read.faults]
    assert keys == [f"Likeness.{key}" for key in ("Url", "Forward", "Viewer", "Odd")]


def test_a_token_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert _read({"Url": URL, "TokenFile": str(path)}).configuration.token == "abc"


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
        ("http://[::1]:1", False),
        ("https://node.example", False),
        ("http://node.example", True),
        ("http://10.0.0.1", True),
    ],
)
def test_a_token_that_would_travel_in_the_clear_is_warned_of(url: str, warned: bool) -> None:
    warnings = _read({"Url": url, "Token": "abc"}).warnings
    assert [warning.partition(":")[0] for warning in warnings] == ["Likeness.Url"] * warned


@pytest.mark.parametrize(
    ("others", "users"),
    [
        ({"AuthenticationEnabled": True}, {"bob"}),
        ({"RemoteAccessAllowed": True}, {"bob"}),
        ({"RemoteAccessAllowed": True, "AuthenticationEnabled": False}, set()),
        ({}, set()),
    ],
)
def test_users_count_where_orthanc_asks_for_passwords(
    others: dict[str, bool], users: set[str]
) -> None:
    read = _read({"Url": URL, "Token": "abc"}, RegisteredUsers={"bob": SECRET}, **others)
    assert read.configuration.authenticated_users == users
    assert SECRET not in str(read)


@pytest.mark.parametrize(
    ("named", "listed"),
    [
        ({}, "27211"),
        ({"likeness": 27211}, "likeness"),
        ({"other": 1024, "likeness": [27211, "application/json"]}, "likeness"),
        ({"odd": [], "other": 27212}, "27211"),
    ],
)
def test_the_mark_is_found_where_orthanc_lists_it(named: dict[str, Any], listed: str) -> None:
    read = _read({"Url": URL, "Token": "abc"}, UserMetadata=named)
    assert read.configuration.metadata_name == listed


def test_orthanc_lives_with_a_faulty_section(tmp_path: Path) -> None:
    with archive_in(
        tmp_path, scp_port=find_free_port(), url="nowhere", Token=SECRET, Veiwer="ohif"
    ) as installed:
        put(installed.orthanc, image(new_uid()))
        page = installed.orthanc.exchange(
            "GET", "/likeness/ui/studies/1.2", headers={"Accept": "text/html"}
        )
        document = installed.orthanc.exchange("GET", "/likeness/status").json()
        for key in ("Url", "Token", "Veiwer"):
            assert f"Likeness: Likeness.{key}: " in installed.log
            assert f"Likeness.{key}: " in document["detail"]
        assert page.status == 503
        assert b"The Likeness plug-in is not set up" in page.body
        assert SECRET not in installed.log + document["detail"]

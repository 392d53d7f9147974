"""The docker compose file: what docker-compose itself makes of it. Nothing is built or started."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dicom_node.settings_file import load_settings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "compose"
PROGRAM = Path("/usr/bin/docker-compose")
PASSWORDS = {"POSTGRES_PASSWORD": "one", "ORTHANC_PASSWORD": "two"}


def _config(tmp_path: Path, passwords: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    if not PROGRAM.exists():
        pytest.skip(f"left out: {PROGRAM} is not installed (package docker-compose)")
    (tmp_path / "env").touch()  # whatever .env lies beside the file is somebody's
    return subprocess.run(
        [
            PROGRAM,
            "--env-file",
            str(tmp_path / "env"),
            "-f",
            str(FOLDER / "compose.yaml"),
            "config",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **passwords},
    )


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    done = _config(tmp_path, PASSWORDS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


def test_the_file_is_sound(services: dict[str, Any]) -> None:
    assert set(services) == {"database", "node", "token", "orthanc"}


@pytest.mark.parametrize("name", PASSWORDS)
def test_there_is_no_default_password(tmp_path: Path, name: str) -> None:
    done = _config(tmp_path, {key: said for key, said in PASSWORDS.items() if key != name})
    assert done.returncode != 0
    assert name in done.stderr


def test_only_orthanc_can_be_reached_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["orthanc"]


def test_every_file_that_is_mounted_is_there(services: dict[str, Any]) -> None:
    mounted = [
        volume.split(":")[0] for service in services.values() for volume in service["volumes"]
    ]
    files = [Path(source) for source in mounted if source.startswith("/")]
    assert files
    assert [path for path in files if not path.exists()] == []
    assert (Path(services["node"]["build"]["context"]) / "docs/compose/Dockerfile").is_file()


def test_node_and_orthanc_are_set_for_each_other(services: dict[str, Any]) -> None:
    node = load_settings(FOLDER / "likeness.toml")
    orthanc = json.loads((FOLDER / "orthanc.json").read_text())
    section = orthanc["Likeness"]
    assert orthanc["DicomModalities"][section["Modality"]] == [
        node.dicom.ae_title,
        "node",
        node.dicom.port,
    ]
    assert section["Url"] == f"http://node:{node.http.port}"
    (peer,) = node.peers
    assert (peer.ae_title, peer.host) == (orthanc["DicomAet"], "orthanc")
    assert set(node.report.send_to) == {peer.name}
    assert section["TokenFile"] in services["token"]["command"][0]

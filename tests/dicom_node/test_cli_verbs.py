"""Which module has which verb, and that the command line looks for a verb in the right one."""

import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from dicom_node.cli import VERBS, main

HEAVY = ("torch", "faiss", "pynetdicom", "pydicom", "uvicorn")
OF_EVALUATION = ("torch", "sklearn", "scipy", "matplotlib")


@pytest.mark.parametrize("module", VERBS)
def test_a_module_has_the_verbs_that_are_said_of_it(module: str) -> None:
    parsers = argparse.ArgumentParser().add_subparsers()
    import_module(f"dicom_node.verbs.{module}").add_verbs(parsers)
    assert tuple(parsers.choices) == VERBS[module]


def test_help_tells_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert [
        verb for there in VERBS.values() for verb in there if f"\n    {verb} " not in said
    ] == []


@pytest.mark.parametrize("before", [[], ["--settings", "search"], ["--settings=x.toml"]])
def test_a_verb_is_found_behind_the_settings(
    before: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*before, "token", "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: likeness token")


@pytest.mark.parametrize(
    ("asked", "heavy"),
    [
        (["token", "--help"], HEAVY),
        (["--help"], OF_EVALUATION),
        (["evaluate", "--help"], OF_EVALUATION),
    ],
)
def test_nobody_waits_for_what_only_others_need(asked: list[str], heavy: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom dicom_node.cli import main\n"
        f"try: main({asked})\nexcept SystemExit: pass\n"
        f"sys.stderr.write(' '.join(name for name in {heavy} if name in sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr == ""


def test_a_demo_of_no_study_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--count", "0"])
    assert ended.value.code == 2
    assert "argument --count: must be at least 1" in capsys.readouterr().err

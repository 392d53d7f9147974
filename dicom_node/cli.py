"""The command ``likeness``: data on stdout, talk on stderr, exit 0 done, 1 could not, 2 misused.

To import all that the verbs need takes seconds, which nobody should wait for who wants one: only
the module of the verb that is asked for is imported, and what faults are called once one is met.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dicom_node.logs import configure_logging
from dicom_node.verbs.parsing import Verb
from dicom_node.verbs.speech import could_not
from dicom_node.version import SOFTWARE_VERSION

VERBS = {
    "node": ("serve", "demo", "status", "echo", "verify", "reindex"),
    "studies": ("ingest", "search", "close", "failed", "retry"),
    "reports": ("report", "case"),
    "tokens": ("token",),
    "encoders": ("encoders",),
    "labels": ("labels",),
    "others": ("conformance",),
    "evaluation": ("evaluate",),
    "training": ("train",),
}
"""The verbs that each module of ``dicom_node.verbs`` tells the parser of."""
TALKING = frozenset({"serve", "demo"})
"""Verbs whose log is for somebody."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    asked = sys.argv[1:] if arguments is None else arguments
    chosen = _parser(asked).parse_args(asked)
    configure_logging(logging.INFO if chosen.verb in TALKING else logging.WARNING)
    try:
        return _run(chosen)
    except _known_faults() as fault:
        return could_not(_said(fault))
    except KeyboardInterrupt:
        return could_not("interrupted")


def _run(chosen: argparse.Namespace) -> int:
    from dicom_node.settings_file import load_settings  # noqa: PLC0415

    verb: Verb = chosen.run
    return verb(chosen, load_settings(chosen.settings))


def _known_faults() -> tuple[type[Exception], ...]:
    from dicom_node.known_faults import KNOWN_FAULTS  # noqa: PLC0415

    return KNOWN_FAULTS


def _said(fault: Exception) -> str:
    from dicom_node.known_faults import said  # noqa: PLC0415

    return said(fault)


def _parser(asked: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the verb that is asked for; of all verbs where that is none."""
    parser = argparse.ArgumentParser(
        prog="likeness",
        description="Which studies in our archive look like this one? Not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"likeness {SOFTWARE_VERSION}")
    _add_settings(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in _modules_of(asked):
        import_module(f"dicom_node.verbs.{module}").add_verbs(verbs)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings", type=Path, help="settings file (default: $LIKENESS_SETTINGS, likeness.toml)"
    )


def _modules_of(asked: Sequence[str]) -> Sequence[str]:
    looking = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_settings(looking)
    looking.add_argument("--version", action="store_true")
    looking.add_argument("verb", nargs="?")
    try:
        said, _ = looking.parse_known_args(asked)
    except argparse.ArgumentError:  # the parser itself says it better
        return list(VERBS)
    if said.version:
        return ()
    return [name for name, there in VERBS.items() if said.verb in there] or list(VERBS)


if __name__ == "__main__":
    sys.exit(main())

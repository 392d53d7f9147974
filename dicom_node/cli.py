"""The command ``likeness``: data on stdout, talk on stderr, exit 0 done, 1 could not, 2 misused."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from dicom_node.changeover.asked import ChangeoverError
from dicom_node.child_process import StartError
from dicom_node.http.service import HttpPortTakenError
from dicom_node.identity import SOFTWARE_VERSION, IdentityError
from dicom_node.logs import configure_logging
from dicom_node.received import UnreadableError
from dicom_node.report.filing import ReportError
from dicom_node.reporting import NoPictureError, UnknownPeerError
from dicom_node.scp import PortTakenError
from dicom_node.scu import SendError
from dicom_node.settings_file import SettingsError, load_settings
from dicom_node.tls import TlsError
from dicom_node.verbs.encoders import add_encoder_verbs
from dicom_node.verbs.node import add_node_verbs
from dicom_node.verbs.others import add_other_verbs
from dicom_node.verbs.parsing import Verb
from dicom_node.verbs.reports import add_report_verbs
from dicom_node.verbs.speech import could_not
from dicom_node.verbs.studies import add_study_verbs
from dicom_node.verbs.tokens import add_token_verbs
from encoders.encoder import EncoderError
from encoders.image import PixelError
from storage.database import DatabaseError
from storage.index import SnapshotError
from storage.labels import LabelError
from storage.search import SearchError
from storage.tokens import TokenError

KNOWN_FAULTS = (
    ChangeoverError,
    DatabaseError,
    IdentityError,
    PixelError,
    HttpPortTakenError,
    NoPictureError,
    PortTakenError,
    TlsError,
    TokenError,
    EncoderError,
    LabelError,
    ReportError,
    SearchError,
    SendError,
    SettingsError,
    SnapshotError,
    StartError,
    UnknownPeerError,
    UnreadableError,
)
"""What a person can do something about: told in one line, without a traceback."""

TALKING = frozenset({"serve", "demo"})
"""Verbs whose log is for somebody."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    chosen = _parser().parse_args(arguments)
    configure_logging(logging.INFO if chosen.verb in TALKING else logging.WARNING)
    verb: Verb = chosen.run
    try:
        return verb(chosen, load_settings(chosen.settings))
    except KNOWN_FAULTS as fault:
        return could_not(str(fault))
    except DBAPIError as fault:
        return could_not(f"the database failed: {str(fault.orig).strip()}")
    except OSError as fault:  # the data folder, mostly: not ours to write, or the disk is full
        return could_not(str(fault))
    except KeyboardInterrupt:
        return could_not("interrupted")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="likeness",
        description="Which studies in our archive look like this one? Not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"likeness {SOFTWARE_VERSION}")
    parser.add_argument(
        "--settings", type=Path, help="settings file (default: $LIKENESS_SETTINGS, likeness.toml)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_node_verbs(verbs)
    add_study_verbs(verbs)
    add_report_verbs(verbs)
    add_token_verbs(verbs)
    add_encoder_verbs(verbs)
    add_other_verbs(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())

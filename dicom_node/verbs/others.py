"""The verbs of what surrounds the archive: the conformance statement."""

import argparse
from pathlib import Path
from typing import Any

from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import put, write


def run_conformance(chosen: argparse.Namespace, settings: Settings) -> int:
    """The DICOM conformance statement (PS3.2) of this node as it is set."""
    from dicom_node.conformance.statement import statement  # noqa: PLC0415  (nobody else needs it)

    text = statement(settings)
    if chosen.output is None:
        put(text)
    else:
        write(chosen.output, text.encode())
    return 0


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    conformance = verb(verbs, "conformance", run_conformance)
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE")

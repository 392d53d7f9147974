"""The verbs of what surrounds the archive: conformance statement, labels."""

import argparse
from pathlib import Path
from typing import Any

from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import could_not, put, write
from storage import labels


def run_conformance(chosen: argparse.Namespace, settings: Settings) -> int:
    """The DICOM conformance statement (PS3.2) of this node as it is set."""
    from dicom_node.conformance.statement import statement  # noqa: PLC0415  (nobody else needs it)

    text = statement(settings)
    if chosen.output is None:
        put(text)
    else:
        write(chosen.output, text.encode())
    return 0


def run_labels_import(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels from a CSV file; all of it, or nothing where the file is faulty."""
    lines = labels.read_csv(chosen.file)
    with open_database(settings) as engine, engine.begin() as connection:
        written, unknown = labels.store(connection, lines, source=chosen.source or chosen.file.name)
    put(f"{written} labels stored")
    if unknown:
        return could_not(f"{len(unknown)} studies are not in this archive, such as {unknown[0]}")
    return 0


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    conformance = verb(verbs, "conformance", run_conformance)
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE")
    label = verbs.add_parser("labels", help="Labels: import.").add_subparsers(
        dest="action", required=True
    )
    imported = verb(label, "import", run_labels_import)
    imported.add_argument("file", type=Path, metavar="FILE")
    imported.add_argument("--source", help="who says so (default: the file's name)")

"""The verbs of what surrounds the archive: conformance statement, encoders, labels."""

import argparse
from pathlib import Path
from typing import Any

from dicom_node import asking
from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import could_not, put, put_json, write
from encoders import registry
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


def run_encoders_list(chosen: argparse.Namespace, settings: Settings) -> int:
    """The encoders this version knows, and what each still needs here."""
    options = asking.encoder_options(settings)
    used = settings.encoder.name
    if chosen.json:
        put_json(
            [
                {
                    "name": entry.name,
                    "in_use": entry.name == used,
                    "summary": entry.summary,
                    "missing": entry.missing(options),
                }
                for entry in registry.entries()
            ]
        )
        return 0
    for entry in registry.entries():
        put(f"{'*' if entry.name == used else ' '} {entry.name}: {entry.summary}")
        for lack in entry.missing(options):
            put(f"    missing here: {lack}")
    return 0


def run_encoders_check(_: argparse.Namespace, settings: Settings) -> int:
    """Loads the encoder of the settings and prints its space."""
    encoder = registry.create(settings.encoder.name, asking.encoder_options(settings))
    put(f"{encoder.space.encoder}: space {encoder.space.id}, dimension {encoder.space.dimension}")
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


def add_other_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    conformance = verb(verbs, "conformance", run_conformance)
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE")
    encoders = verbs.add_parser("encoders", help="The encoders: list, check.")
    actions = encoders.add_subparsers(dest="action", required=True)
    verb(actions, "list", run_encoders_list).add_argument("--json", action="store_true")
    verb(actions, "check", run_encoders_check)
    label = verbs.add_parser("labels", help="Labels: import.").add_subparsers(
        dest="action", required=True
    )
    imported = verb(label, "import", run_labels_import)
    imported.add_argument("file", type=Path, metavar="FILE")
    imported.add_argument("--source", help="who says so (default: the file's name)")

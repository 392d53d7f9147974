"""The verbs of encoders: what there is, what is missing, whether the chosen one loads."""

import argparse
from typing import Any

from dicom_node import asking
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import put, put_json
from encoders import registry


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
                    "missing": registry.missing(entry, options),
                }
                for entry in registry.declarations()
            ]
        )
        return 0
    for entry in registry.declarations():
        put(f"{'*' if entry.name == used else ' '} {entry.name}: {entry.summary}")
        for lack in registry.missing(entry, options):
            put(f"    missing here: {lack}")
    return 0


def run_encoders_check(_: argparse.Namespace, settings: Settings) -> int:
    """Loads the encoder of the settings and prints its space."""
    encoder = registry.create(settings.encoder.name, asking.encoder_options(settings))
    put(f"{encoder.space.encoder}: space {encoder.space.id}, dimension {encoder.space.dimension}")
    return 0


def add_encoder_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    encoders = verbs.add_parser("encoders", help="The encoders: list, check.")
    actions = encoders.add_subparsers(dest="action", required=True)
    verb(actions, "list", run_encoders_list).add_argument("--json", action="store_true")
    verb(actions, "check", run_encoders_check)

"""The verb ``evaluate``: how good the answers are, with chance, intervals and confounders."""

import argparse
from typing import Any

from dicom_node.settings import Settings
from dicom_node.verbs.evaluation_options import add_options
from dicom_node.verbs.parsing import verb

TABLES = "papers/"


def run_evaluate(chosen: argparse.Namespace, settings: Settings) -> int:
    """How good the answers are: measures with chance, intervals, and what explains them."""
    # networks, statistics and plots take seconds to import, which nobody waits for who wants help
    from dicom_node.verbs import evaluation_report, evaluation_table  # noqa: PLC0415

    run = evaluation_table.run if chosen.place.startswith(TABLES) else evaluation_report.run
    return run(chosen, settings)


def add_verbs(verbs: Any) -> None:
    """Tells the parser of it."""
    add_options(verb(verbs, "evaluate", run_evaluate))

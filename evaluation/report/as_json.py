"""The report as one JSON file: every figure at full precision, null where there is none."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.evaluating import Judgement
from evaluation.probing.classification import CHANCE, EMPTY, SAYS
from evaluation.report.document import Document
from evaluation.report.verdicts import verdict
from evaluation.report.words import rules as in_words
from evaluation.tasks import Task

SCHEMA = "likeness-evaluation/1"
"""Changes when a reader of the old file would misread the new one."""
NOTICE = "For research: this is no medical device, and no figure here speaks of a single patient."


def as_json(document: Document) -> str:
    """The text of the file; pictures, answers and vectors are not in it."""
    told = {
        "schema": SCHEMA,
        "notice": NOTICE,
        "provenance": document.provenance,
        "collection": document.collection,
        "rules": {**_fields(document.rules), "says": list(in_words(document.rules))},
        "tasks": [_task(task) for task in document.tasks],
        "systems": document.systems,
        "judgements": [_judgement(one, document) for one in document.judgements],
        "comparisons": document.comparisons,
        "probes": document.probes,
        "ablations": document.ablations,
        "shadow": document.shadow,
        "measures": [
            *({"id": one.id, "says": one.says, "empty": one.empty} for one in document.measures),
            *(
                {"id": name, "says": SAYS[name], "empty": EMPTY, "chance": CHANCE[name]}
                for name in document.probe_measures
            ),
        ],
        "pictures": [{"title": one.title, "says": one.says} for one in document.pictures],
        "notes": document.notes,
    }
    return json.dumps(plain(told), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def plain(value: Any) -> Any:
    """What JSON can hold: dataclasses as objects, numbers that are none as null.

    Raises:
        TypeError: it is none of what a report holds.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(_fields(value))
    raise TypeError(f"a report cannot hold {type(value).__name__}")


def _fields(value: Any) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}


def _task(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "says": task.says,
        "images": len(task.members),
        "headline": task.headline,
        "by_label": task.by_label,
        "within": task.within,
        "parts": [
            {
                "name": part.name,
                "says": part.qrels.says,
                "classes": part.class_names,
                "measures": [one.id for one in part.measures],
            }
            for part in task.parts
        ],
    }


def _judgement(judgement: Judgement, document: Document) -> dict[str, Any]:
    said = verdict(judgement, document.task(judgement.task))
    return {
        "system": judgement.system,
        "task": judgement.task,
        "verdict": {"standing": said.standing, "says": [said.score, said.doubt]},
        "tied": judgement.run.tied,
        "rows": judgement.rows,
        "confounders": judgement.confounders,
    }

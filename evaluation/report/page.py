"""The report as one HTML file: it fetches nothing, and runs no script but its own."""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluation.probing.classification import CHANCE, SAYS
from evaluation.report import curve_tables, rows, shadow_rows, words
from evaluation.report.as_json import NOTICE
from evaluation.report.document import Described, Document
from evaluation.report.panels import Panel
from evaluation.report.probe_tables import probe_tables
from evaluation.report.shadow_picture import shadow_picture
from evaluation.report.verdicts import MEANINGS, verdict
from evaluation.report.wrong_class import Confusion

PRINTED_CLASSES = 16
"""A table of classes by classes that is wider cannot be read on paper, and stays on the screen."""
SHADES = 9
STYLES = ("page.css", "tables.css", "pictures.css", "hits.css", "paper.css")


SECTIONS = {
    "verdict": "Verdict",
    "shadow": "Shadow mode",
    "figures": "Figures",
    "confounders": "Confounders",
    "strata": "Strata",
    "comparisons": "Comparisons",
    "classes": "Classes",
    "probes": "Probes",
    "ablations": "Images of each class",
    "definitions": "Definitions",
    "pictures": "Pictures",
    "panels": "Queries and hits",
    "wrong": "Wrong class",
    "collection": "Collection and rules",
    "provenance": "Provenance and limits",
}
OF_TASKS = frozenset(
    {"figures", "confounders", "strata", "comparisons", "classes", "definitions", "panels", "wrong"}
)
"""Sections that stand only where something was asked."""


def page(document: Document) -> str:
    """The HTML; texts of the collection are escaped wherever they stand."""
    style, script = Markup().join(_part(name) for name in STYLES), _part("page.js")
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            document=document,
            style=style,
            script=script,
            policy=_policy(style, script),
            verdicts={task.name: _verdicts(document, task.name) for task in document.tasks},
            notice=NOTICE,
            probe_says=SAYS,
            probe_chance=CHANCE,
        )
    )


def _templates() -> Environment:
    # escaping is on whatever a template is called: every text may come from outside
    made = Environment(
        loader=PackageLoader("evaluation.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=words.number,
        count=words.count,
        p_value=words.p_value,
        shortened=_shortened,
        capitalize_first=lambda text: text[:1].upper() + text[1:],
    )
    made.globals.update(
        rows=rows,
        words=words,
        sections=_sections,
        probe_tables=probe_tables,
        curve_tables=curve_tables,
        shadow_rows=shadow_rows,
        shadow_picture=shadow_picture,
        meanings=MEANINGS,
        strip_at=_strip_at,
        shade=_shade,
        panels_of=_panels_of,
        printed_classes=PRINTED_CLASSES,
    )
    return made


def _part(name: str) -> Markup:
    """A file that is put into the page as it is.

    Raises:
        ValueError: it would end its element.
    """
    text = (files("evaluation.report") / name).read_text(encoding="utf-8")
    if "</" in text:
        raise ValueError(f"{name} holds '</', which would end it within a page")
    return Markup(text)  # noqa: S704  (ours)


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing from elsewhere, and no script or style but these."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _sections(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the sections that the page has, in their order, by id and name."""
    there = {
        "shadow": document.shadow is not None,
        "probes": document.probes is not None,
        "ablations": document.ablations is not None,
    }
    for id_, name in SECTIONS.items():
        if there.get(id_, bool(document.tasks) or id_ not in OF_TASKS):
            yield id_, name


def _verdicts(document: Document, task: str) -> tuple[object, ...]:
    own = document.task(task)
    return tuple(verdict(one, own) for one in document.of_task(own))


Kinds = dict[str, list[Panel]]


def _panels_of(document: Document) -> Iterator[tuple[str, Described, Kinds]]:
    """Yield each judgement's panels by why they are shown."""
    for judgement in document.judgements:
        kinds: Kinds = {}
        for panel in document.panels:
            if (panel.task, panel.system) == (judgement.task, judgement.system):
                kinds.setdefault(panel.choice, []).append(panel)
        if kinds:
            system = next(one for one in document.systems if one.name == judgement.system)
            yield judgement.task, system, kinds


def _strip_at(value: float) -> str:
    """Where a value from 0 to 1 stands on a strip of 100 units, 2 from its edge."""
    return f"{2 + 100 * min(max(value, 0), 1):.1f}"


def _shade(table: Confusion, row: int, column: int) -> int:
    """A cell's share of its row, from 0 to SHADES."""
    total = int(table.counts[row].sum())
    return round(SHADES * int(table.counts[row, column]) / total) if total else 0


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

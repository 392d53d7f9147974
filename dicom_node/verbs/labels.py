"""The verbs of labels: from tables, reports and attributes; what there is, and out again."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.database import open_database
from dicom_node.labelling.digests import digest_of, together
from dicom_node.labelling.taking import Outcome, take_lines, take_studies
from dicom_node.settings import Settings
from dicom_node.verbs import label_text
from dicom_node.verbs.bars import bar
from dicom_node.verbs.parsing import positive, verb
from dicom_node.verbs.speech import could_not, put, put_json, say
from storage import label_imports, label_versions, labels
from storage.label_imports import Origin
from storage.label_lines import LabelLine


def run_import(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels from a CSV file; all of it, or nothing where the file is faulty."""
    with bar("reading", "line") as shown:
        lines = labels.read_csv(
            chosen.file, wide=chosen.wide, leave_out=chosen.leave_out, step=shown.update
        )
    if chosen.source is not None:
        lines = [replace(line, source="") for line in lines]
    origin = Origin(chosen.source or chosen.file.name, "csv", digest_of(chosen.file))
    with (
        _writing(settings, dry_run=chosen.dry_run) as connection,
        bar("storing", "label", len(lines)) as shown,
    ):
        outcome = take_lines(connection, lines, origin, add=chosen.add, step=shown.update)
    return _told(chosen, outcome)


def run_from_reports(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels from reports, by rules: Structured Reports, STUDY_UID.txt, or CSV with texts."""
    from dicom_node.ingest import files_under  # noqa: PLC0415  (only these verbs pay for pydicom)
    from dicom_node.labelling.report_files import lines_of, read_reports  # noqa: PLC0415
    from evaluation.report_rules.rules import ENGLISH, load  # noqa: PLC0415

    rules = load(chosen.rules or ENGLISH)
    files = list(files_under(chosen.paths))
    with bar("reading", "file", len(files)) as shown:
        read = read_reports(files, rules, step=shown.update)
    found, coded = lines_of(read.documents, rules)
    digest = together(read.digests)
    said = {
        Origin(rules.source, "report", digest): found,
        Origin("report codes", "report", digest): coded,
    }
    silent = read.studies - {line.study_instance_uid for line in (*found, *coded)}
    say(f"reports of {len(read.studies)} studies; those of {len(silent)} name no finding")
    return _taken(chosen, settings, said, read.studies, read.others, read.faults)


def run_from_dicom(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels from attributes of DICOM files: diagnoses, and reasons for the study as questions."""
    from dicom_node.ingest import files_under  # noqa: PLC0415  (as above)
    from dicom_node.labelling.dicom_attributes import checked, read_attributes  # noqa: PLC0415
    from evaluation.report_rules.rules import ENGLISH, load  # noqa: PLC0415

    keywords, rules = checked(chosen.attribute), load(chosen.rules or ENGLISH)
    files = list(files_under(chosen.paths))
    with bar("reading", "file", len(files)) as shown:
        read = read_attributes(files, keywords, rules, step=shown.update)
    origin = Origin(f"DICOM attributes, {rules.source}", "dicom", together(read.digests))
    said = {origin: read.lines()}
    return _taken(chosen, settings, said, set(read.said), read.others, read.faults)


def run_list(chosen: argparse.Namespace, settings: Settings) -> int:
    """Who says what: sources, how many of their labels stand, and their versions."""
    with open_database(settings) as engine, engine.connect() as connection:
        found = label_versions.sources(connection)
    if chosen.json:
        put_json(label_text.sources_json(found))
    elif found:
        put(label_text.sources_text(found))
    else:
        say("there are no labels: `likeness labels import FILE` brings some")
    return 0


def run_remove(chosen: argparse.Namespace, settings: Settings) -> int:
    """Takes back all that a source says; its versions stay readable, or go --for-good."""
    with open_database(settings) as engine, engine.begin() as connection:
        label_versions.must_know(connection, [chosen.source])
        taken = label_imports.remove(connection, chosen.source, for_good=chosen.for_good)
    say(f"{taken.dropped} labels of {chosen.source} taken back")
    if chosen.for_good:
        say("whatever it said before is deleted, too")
    return 0


def run_export(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels as CSV, which `labels import` takes again: as they stand, or as a version had them."""
    if chosen.at_version is not None and len(chosen.source) != 1:
        chosen.misused("--at-version needs one --source")
    only = {"only": chosen.source, "version": chosen.at_version}
    with open_database(settings) as engine, engine.connect() as connection:
        if str(chosen.output) == "-":
            count = label_versions.write_csv(connection, sys.stdout, **only)
        else:
            # aside first: a fault leaves whatever stood there as it was
            aside = chosen.output.with_name(f"{chosen.output.name}.part")
            with aside.open("w", newline="", encoding="utf-8") as file:
                count = label_versions.write_csv(connection, file, **only)
            aside.replace(chosen.output)
    say(f"{count} labels written")
    return 0


def _taken(
    chosen: argparse.Namespace,
    settings: Settings,
    said: Mapping[Origin, Sequence[LabelLine]],
    studies: set[str],
    others: Mapping[str, int],
    faults: Sequence[str],
) -> int:
    with _writing(settings, dry_run=chosen.dry_run) as connection:
        outcome = take_studies(connection, said, studies)
    return _told(chosen, outcome, others, faults)


def _told(
    chosen: argparse.Namespace,
    outcome: Outcome,
    others: Mapping[str, int] | None = None,
    faults: Sequence[str] = (),
) -> int:
    for line in (*label_text.others_text(others or {}), *faults):
        say(line)
    if chosen.json:
        told = {"dry_run": chosen.dry_run, **outcome.as_json()}
        put_json(told if others is None else {**told, "left_out": others, "faults": faults})
    else:
        put(label_text.outcome_text(outcome, dry_run=chosen.dry_run))
    if outcome.unplaced:
        return could_not("; ".join(outcome.unplaced))
    return 1 if faults else 0


@contextmanager
def _writing(settings: Settings, *, dry_run: bool) -> Iterator[Connection]:
    """A transaction that leaves no trace where nothing is to be written."""
    with open_database(settings) as engine, engine.connect() as connection:
        yield connection
        if dry_run:
            connection.rollback()
        else:
            connection.commit()


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    label = verbs.add_parser(
        "labels", help="Labels: import, from-reports, from-dicom, list, export, remove."
    ).add_subparsers(dest="action", required=True)
    imported = verb(label, "import", run_import)
    imported.add_argument("file", type=Path, metavar="FILE")
    imported.add_argument("--source", help="who says so (default: the file says, or its name)")
    imported.add_argument("--add", action="store_true", help="what the file leaves out stands")
    imported.add_argument("--wide", action="store_true", help="a column for each label")
    imported.add_argument(
        "--leave-out", action="append", default=[], metavar="COLUMN", help="no label; repeatable"
    )
    reports = verb(label, "from-reports", run_from_reports)
    attributes = verb(label, "from-dicom", run_from_dicom)
    attributes.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="KEYWORD",
        help="read instead of diagnoses and reasons; repeatable",
    )
    for one in (reports, attributes):
        one.add_argument("paths", type=Path, nargs="+", metavar="PATH")
        one.add_argument("--rules", type=Path, metavar="FILE", help="rules of your own")
    for one in (imported, reports, attributes):
        one.add_argument("--dry-run", action="store_true", help="says what would be, and leaves it")
        one.add_argument("--json", action="store_true")
    verb(label, "list", run_list).add_argument("--json", action="store_true")
    exported = verb(label, "export", run_export)
    exported.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    exported.add_argument(
        "--source", action="append", default=[], help="only what it says; repeatable"
    )
    exported.add_argument("--at-version", type=positive, metavar="N", help="as it was then")
    removed = verb(label, "remove", run_remove)
    removed.add_argument("source", metavar="SOURCE")
    removed.add_argument("--for-good", action="store_true", help="deletes its versions, too")

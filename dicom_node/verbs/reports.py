"""The verbs of reports: made, written, sent, and what their case numbers mean."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dicom_node import cases
from dicom_node.database import open_database
from dicom_node.identity import device_uid
from dicom_node.report_facts import as_png, facts
from dicom_node.reporting import PICTURE_GONE, Reporting
from dicom_node.settings import Settings
from dicom_node.verbs.parsing import verb
from dicom_node.verbs.speech import could_not, put, put_json, say, write
from storage import audit
from storage.reports import ReportName


def run_report(chosen: argparse.Namespace, settings: Settings) -> int:
    """The report on a study, as files or sent: the one that was made, else a new one."""
    _check_report_options(chosen)
    only_looks = not (chosen.output or chosen.picture or chosen.send is not None or chosen.new)
    with open_database(settings) as engine:
        reporting = Reporting(engine, settings, node=device_uid(settings.data_folder))
        peers = [] if chosen.send is None else reporting.receivers(chosen.send or None)
        if chosen.send is not None and not peers:
            return could_not("report.send_to names no peer: name one after --send")
        if only_looks:
            standing = reporting.newest(chosen.study)
        else:
            writes = bool(chosen.output or chosen.picture)  # if it cannot, nothing is to be sent
            standing = reporting.make(
                chosen.study, asked_by="cli", again=chosen.new, peers=() if writes else peers
            )
            if standing.report is None:
                return could_not(standing.why_no_report())
            if writes:
                _write_files(standing.report, reporting, chosen)
                standing = reporting.send(standing, peers)
            _say_queued(standing.report, peers)
        if chosen.json:
            file = None if standing.report is None else reporting.file_of(standing.report)
            put_json(facts(standing, file))
    return 0


def _check_report_options(chosen: argparse.Namespace) -> None:
    to_stdout = str(chosen.output) == "-"
    if not (chosen.output or chosen.picture or chosen.json or chosen.send is not None):
        chosen.misused("give at least one of -o, --picture, --send, --json")
    if chosen.picture and chosen.picture.suffix.lower() not in {".dcm", ".png"}:
        chosen.misused("--picture: the file's name ends in .dcm or .png")
    if to_stdout and chosen.json:
        chosen.misused("-o - and --json both write to standard output")
    if to_stdout and sys.stdout.isatty():
        chosen.misused("-o -: standard output is a terminal, and the report is binary")


def _write_files(report: ReportName, reporting: Reporting, chosen: argparse.Namespace) -> None:
    if chosen.output:
        write(chosen.output, reporting.file_of(report))
        say(f"report {report.sop_instance_uid} written to {chosen.output}")
    if chosen.picture:
        picture = reporting.picture_of(report)
        write(
            chosen.picture, as_png(picture) if chosen.picture.suffix.lower() == ".png" else picture
        )
        say(f"picture {report.picture_sop_instance_uid} written to {chosen.picture}")


def _say_queued(report: ReportName | None, peers: Sequence[str]) -> None:
    for peer in peers:
        say(f"queued for {peer}: `likeness serve` on this data folder sends it")
    if peers and report is not None and report.lost_picture:
        say(f"without its picture: {PICTURE_GONE}")


def run_case(chosen: argparse.Namespace, settings: Settings) -> int:
    """The study that a pseudonymous report means by a case number, or a study's case number."""
    if (chosen.number is None) == (chosen.of is None):
        chosen.misused("give a case number, or a study with --of")
    with open_database(settings) as engine, engine.begin() as connection:
        if chosen.of is not None:
            number, study = cases.case_of_study(connection, chosen.of)
            found = [study]
        else:
            number, found = chosen.number, cases.studies_of_case(connection, chosen.number)
            uids = [study.study_instance_uid for study in found]
            audit.record_lookup(connection, number, uids, asked_by=f"cli:{cases.who_asks()}")
    if not found:
        return could_not(f"no study of this archive has the case number {number}")
    if chosen.json:
        put_json(cases.case_json(number, found))
    else:
        put(number if chosen.of is not None else cases.case_text(found))
    return 0


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    report = verb(verbs, "report", run_report)
    report.add_argument("study", metavar="STUDY_UID")
    report.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the SR; - for standard output"
    )
    report.add_argument(
        "--picture", type=Path, metavar="FILE", help=".dcm: Secondary Capture; .png: the image"
    )
    report.add_argument(
        "--new", action="store_true", help="make one that takes the place of the one there is"
    )
    report.add_argument(
        "--send", nargs="*", metavar="PEER", help="queue it; default: report.send_to"
    )
    report.add_argument(
        "--json", action="store_true", help="what is known of it; by itself, makes none"
    )
    case = verb(verbs, "case", run_case)
    case.add_argument("number", nargs="?", metavar="NUMBER", help="as in a report")
    case.add_argument("--of", metavar="STUDY_UID", help="print this study's number instead")
    case.add_argument("--json", action="store_true")

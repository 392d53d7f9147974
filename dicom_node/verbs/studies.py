"""The verbs of studies: into the archive, asked with, closed, and tried again."""

import argparse
from pathlib import Path
from typing import Any

from dicom_node.database import open_database
from dicom_node.identity import device_uid
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.verbs.bars import bar
from dicom_node.verbs.parsing import positive, verb
from dicom_node.verbs.speech import could_not, put, put_json, say
from storage import sends, studies

STRATEGIES = ("nearest", "communities")
"""Those of ``storage.search.Strategy``, which it takes too long to load for the help alone."""


def run_ingest(chosen: argparse.Namespace, settings: Settings) -> int:
    """Files and folders into the archive."""
    from dicom_node.header_reader import HeaderReader  # noqa: PLC0415  (only this verb pays for it)
    from dicom_node.ingest import Ingest, files_under  # noqa: PLC0415

    node = device_uid(settings.data_folder)
    with open_database(settings) as engine, HeaderReader() as headers:
        ingest = Ingest(engine, Spool(settings.data_folder), headers, node=node)
        files = list(files_under(chosen.paths))
        with bar("reading", "file", len(files)) as shown:
            for path in files:
                if fault := ingest.take(path):
                    say(fault)
                shown.update()
        closed = ingest.close_studies()
    counts = ", ".join(f"{count} {what}" for what, count in sorted(ingest.outcomes.items()))
    put(f"{counts or 'no files'}; {closed} studies queued for `likeness serve`")
    return 1 if ingest.outcomes["refused"] or not files else 0


def run_search(chosen: argparse.Namespace, settings: Settings) -> int:
    """The studies most like one or several of the archive, or like files."""
    from dicom_node import questions  # noqa: PLC0415  (as above)
    from dicom_node.console import answer_json, answer_text  # noqa: PLC0415
    from storage.search import Marks, Strategy, Wish  # noqa: PLC0415

    marks = Marks(tuple(dict.fromkeys(chosen.more)), tuple(dict.fromkeys(chosen.less)))
    wish = Wish(k=chosen.k, marks=marks, strategy=Strategy(chosen.strategy))
    with open_database(settings) as engine:
        found = questions.ask(engine, settings, chosen.question, wish=wish, asked_by="cli")
    if chosen.json:
        put_json(answer_json(found))
    else:
        put(answer_text(found))
    return 0


def run_close(chosen: argparse.Namespace, settings: Settings) -> int:
    """Closes a study by hand."""
    with open_database(settings) as engine, engine.begin() as connection:
        if studies.close_now(connection, chosen.study):
            return 0
        state = studies.state_of(connection, chosen.study)
    where = "not in this archive" if state is None else f"not open, but {state.state}"
    return could_not(f"study {chosen.study} is {where}")


def run_failed(chosen: argparse.Namespace, settings: Settings) -> int:
    """What was set aside, with reasons: studies, reports not delivered, quarantined files."""
    with open_database(settings) as engine, engine.connect() as connection:
        failed: list[dict[str, str | None]] = [
            {"study": study.study_instance_uid, "reason": study.reason}
            for study in studies.failed(connection)
        ]
        unsent: list[dict[str, str | None]] = [
            {"study": entry.study_instance_uid, "peer": entry.peer, "reason": entry.reason}
            for entry in sends.given_up(connection)
        ]
    files = Spool(settings.data_folder).quarantined()
    found: dict[str, list[dict[str, str | None]]] = {
        "studies": failed,
        "reports": unsent,
        "files": [{"file": name, "reason": reason} for name, reason in files],
    }
    if chosen.json:
        put_json(found)
        return 0
    for kind, entries in found.items():
        for entry in entries:
            put(f"{kind}: " + " | ".join(str(part) for part in entry.values()))
    return 0


def run_retry(chosen: argparse.Namespace, settings: Settings) -> int:
    """Failed studies and undelivered reports once more: one study's, or all."""
    with open_database(settings) as engine, engine.begin() as connection:
        again = studies.retry(connection, chosen.study)
        unsent = sends.retry(connection, chosen.study)
    put(f"{len(again)} studies and {unsent} reports queued again")
    return 0 if again or unsent else 1


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    ingest = verb(verbs, "ingest", run_ingest)
    ingest.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    search = verb(verbs, "search", run_search)
    search.add_argument(
        "question", nargs="+", metavar="STUDY_UID|FILE", help="several are asked with together"
    )
    search.add_argument("-k", type=positive, help="how many hits at most")
    for name, what in (("--more", "a study to seek more like"), ("--less", "and less like")):
        search.add_argument(
            name, action="append", default=[], metavar="STUDY_UID", help=f"{what}; repeatable"
        )
    search.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default=STRATEGIES[0],
        help="how studies are looked for; by default the nearest",
    )
    search.add_argument("--json", action="store_true")
    verb(verbs, "close", run_close).add_argument("study", metavar="STUDY_UID")
    verb(verbs, "failed", run_failed).add_argument("--json", action="store_true")
    retry = verb(verbs, "retry", run_retry)
    retry.add_argument("study", nargs="?", metavar="STUDY_UID", help="default: all")

"""The command ``likeness``: data on stdout, talk on stderr, exit 0 done, 1 could not, 2 misused."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from tqdm import tqdm

from dicom_node import asking, cases, scu
from dicom_node.child_process import StartError
from dicom_node.console import answer_json, answer_text
from dicom_node.database import open_database
from dicom_node.header_reader import HeaderReader
from dicom_node.http.service import HttpPortTakenError
from dicom_node.identity import SOFTWARE_VERSION, IdentityError, device_uid
from dicom_node.ingest import Ingest, files_under
from dicom_node.logs import configure_logging
from dicom_node.received import UnreadableError
from dicom_node.report.filing import ReportError
from dicom_node.report_facts import as_png, facts
from dicom_node.reporting import PICTURE_GONE, NoPictureError, Reporting, UnknownPeerError
from dicom_node.scp import PortTakenError
from dicom_node.serve import serve
from dicom_node.settings import Settings
from dicom_node.settings_file import SettingsError, load_settings
from dicom_node.spool import Spool
from dicom_node.status import status_of, status_text
from dicom_node.tls import TlsError
from encoders import registry
from encoders.encoder import EncoderError
from encoders.image import PixelError
from storage import audit, labels, sends, snapshot, studies
from storage.database import DatabaseError
from storage.index import VectorIndex, snapshot_path
from storage.reports import ReportName
from storage.search import SearchError

KNOWN_FAULTS = (
    DatabaseError,
    IdentityError,
    PixelError,
    HttpPortTakenError,
    NoPictureError,
    PortTakenError,
    TlsError,
    EncoderError,
    ReportError,
    SearchError,
    SettingsError,
    StartError,
    UnknownPeerError,
    UnreadableError,
    labels.LabelError,
    scu.SendError,
    snapshot.SnapshotError,
)
"""What a person can do something about: told in one line, without a traceback."""

TALKING = frozenset({"serve", "demo"})
"""Verbs whose log is for somebody."""

Verb = Callable[[argparse.Namespace, Settings], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    chosen = _parser().parse_args(arguments)
    configure_logging(logging.INFO if chosen.verb in TALKING else logging.WARNING)
    verb: Verb = chosen.run
    try:
        return verb(chosen, load_settings(chosen.settings))
    except KNOWN_FAULTS as fault:
        return _could_not(str(fault))
    except DBAPIError as fault:
        return _could_not(f"the database failed: {str(fault.orig).strip()}")
    except OSError as fault:  # the data folder, mostly: not ours to write, or the disk is full
        return _could_not(str(fault))
    except KeyboardInterrupt:
        return _could_not("interrupted")


def _could_not(why: str) -> int:
    print(f"likeness: {why}", file=sys.stderr)
    return 1


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def run_serve(_: argparse.Namespace, settings: Settings) -> int:
    """Receiver, worker and delivery, until interrupted."""
    serve(settings)
    return 0


def run_demo(chosen: argparse.Namespace, _: Settings) -> int:
    """A node with a synthetic archive, ready to be asked."""
    from dicom_node.demo import run_demo as demo  # noqa: PLC0415  (only the demo pays for it)

    return demo(chosen.folder, chosen.count, once=chosen.once, say=print)


def run_status(chosen: argparse.Namespace, settings: Settings) -> int:
    """Where the node stands."""
    with open_database(settings) as engine, engine.connect() as connection:
        found = status_of(connection, settings)
    if chosen.json:
        _print_json(found)
    else:
        print(status_text(found))
    return 0


def run_ingest(chosen: argparse.Namespace, settings: Settings) -> int:
    """Files and folders into the archive."""
    node = device_uid(settings.data_folder)
    with open_database(settings) as engine, HeaderReader() as headers:
        ingest = Ingest(engine, Spool(settings.data_folder), headers, node=node)
        files = list(files_under(chosen.paths))
        for path in tqdm(files, unit="file", disable=None):
            if fault := ingest.take(path):
                _say(fault)
        closed = ingest.close_studies()
    counts = ", ".join(f"{count} {what}" for what, count in sorted(ingest.outcomes.items()))
    print(f"{counts or 'no files'}; {closed} studies queued for `likeness serve`")
    return 1 if ingest.outcomes["refused"] or not files else 0


def run_search(chosen: argparse.Namespace, settings: Settings) -> int:
    """The studies most like one of the archive, or like a file."""
    k = chosen.k or settings.search.k
    with open_database(settings) as engine:
        path = Path(chosen.question)
        if path.exists():
            found = asking.ask_with_file(engine, settings, path, k=k, asked_by="cli")
        else:
            found = asking.ask_by_uid(engine, settings, chosen.question, k=k, asked_by="cli")
    if chosen.json:
        _print_json(answer_json(found))
    else:
        print(answer_text(found))
    return 0


def run_report(chosen: argparse.Namespace, settings: Settings) -> int:
    """The report on a study, as files or sent: the one that was made, else a new one."""
    _check_report_options(chosen)
    only_looks = not (chosen.output or chosen.picture or chosen.send is not None or chosen.new)
    with open_database(settings) as engine:
        reporting = Reporting(engine, settings, node=device_uid(settings.data_folder))
        peers = [] if chosen.send is None else reporting.receivers(chosen.send or None)
        if chosen.send is not None and not peers:
            return _could_not("report.send_to names no peer: name one after --send")
        if only_looks:
            standing = reporting.newest(chosen.study)
        else:
            writes = bool(chosen.output or chosen.picture)  # if it cannot, nothing is to be sent
            standing = reporting.make(
                chosen.study, asked_by="cli", again=chosen.new, peers=() if writes else peers
            )
            if standing.report is None:
                return _could_not(standing.why_no_report())
            if writes:
                _write_files(standing.report, reporting, chosen)
                standing = reporting.send(standing, peers)
            _say_queued(standing.report, peers)
        if chosen.json:
            file = None if standing.report is None else reporting.file_of(standing.report)
            _print_json(facts(standing, file))
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
        _write(chosen.output, reporting.file_of(report))
        _say(f"report {report.sop_instance_uid} written to {chosen.output}")
    if chosen.picture:
        picture = reporting.picture_of(report)
        _write(
            chosen.picture, as_png(picture) if chosen.picture.suffix.lower() == ".png" else picture
        )
        _say(f"picture {report.picture_sop_instance_uid} written to {chosen.picture}")


def _say_queued(report: ReportName | None, peers: Sequence[str]) -> None:
    for peer in peers:
        _say(f"queued for {peer}: `likeness serve` on this data folder sends it")
    if peers and report is not None and report.lost_picture:
        _say(f"without its picture: {PICTURE_GONE}")


def _write(path: Path, content: bytes) -> None:
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except OSError as fault:
        raise OSError(f"{path} cannot be written: {fault.strerror}") from fault


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
        return _could_not(f"no study of this archive has the case number {number}")
    if chosen.json:
        _print_json(cases.case_json(number, found))
    else:
        print(number if chosen.of is not None else cases.case_text(found))
    return 0


def run_conformance(chosen: argparse.Namespace, settings: Settings) -> int:
    """The DICOM conformance statement (PS3.2) of this node as it is set."""
    from dicom_node.conformance.statement import statement  # noqa: PLC0415  (nobody else needs it)

    text = statement(settings)
    if chosen.output is None:
        print(text)
    else:
        _write(chosen.output, text.encode())
    return 0


def run_close(chosen: argparse.Namespace, settings: Settings) -> int:
    """Closes a study by hand."""
    with open_database(settings) as engine, engine.begin() as connection:
        if studies.close_now(connection, chosen.study):
            return 0
        state = studies.state_of(connection, chosen.study)
    where = "not in this archive" if state is None else f"not open, but {state.state}"
    return _could_not(f"study {chosen.study} is {where}")


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
        _print_json(found)
        return 0
    for kind, entries in found.items():
        for entry in entries:
            print(f"{kind}: " + " | ".join(str(part) for part in entry.values()))
    return 0


def run_retry(chosen: argparse.Namespace, settings: Settings) -> int:
    """Failed studies and undelivered reports once more: one study's, or all."""
    with open_database(settings) as engine, engine.begin() as connection:
        again = studies.retry(connection, chosen.study)
        unsent = sends.retry(connection, chosen.study)
    print(f"{len(again)} studies and {unsent} reports queued again")
    return 0 if again or unsent else 1


def run_echo(chosen: argparse.Namespace, settings: Settings) -> int:
    """C-ECHO to a peer of the settings."""
    peer = settings.peer_named(chosen.peer)
    if peer is None:
        known = ", ".join(entry.name for entry in settings.peers) or "none"
        return _could_not(f"the settings name no peer {chosen.peer!r}; known: {known}")
    scu.echo(peer, calling_ae=settings.dicom.ae_title, tls=settings.tls)
    print(f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port}) answers")
    return 0


def run_verify(_: argparse.Namespace, settings: Settings) -> int:
    """Proves that index and database hold the same vectors."""
    from dicom_node.verification import verify  # noqa: PLC0415

    with open_database(settings) as engine:
        count, faults = verify(engine, settings)
    for fault in faults[:20]:
        print(fault)
    if faults:
        return _could_not(f"{len(faults)} differences; `likeness reindex` rebuilds the index")
    print(f"index and database agree: {count} vectors")
    return 0


def run_reindex(_: argparse.Namespace, settings: Settings) -> int:
    """Builds the index anew from the database."""
    with open_database(settings) as engine, engine.connect() as connection:
        space = asking.space_in_use(connection)
        index = VectorIndex(space.id, space.dimension)
        index.catch_up(connection)
        index.save(snapshot_path(settings.index_folder, space.id))
    print(f"index of space {space.id} rebuilt: {index.count} vectors")
    return 0


def run_encoders_list(chosen: argparse.Namespace, settings: Settings) -> int:
    """The encoders this version knows, and what each still needs here."""
    options = asking.encoder_options(settings)
    used = settings.encoder.name
    if chosen.json:
        _print_json(
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
        print(f"{'*' if entry.name == used else ' '} {entry.name}: {entry.summary}")
        for lack in entry.missing(options):
            print(f"    missing here: {lack}")
    return 0


def run_encoders_check(_: argparse.Namespace, settings: Settings) -> int:
    """Loads the encoder of the settings and prints its space."""
    encoder = registry.create(settings.encoder.name, asking.encoder_options(settings))
    print(f"{encoder.space.encoder}: space {encoder.space.id}, dimension {encoder.space.dimension}")
    return 0


def run_labels_import(chosen: argparse.Namespace, settings: Settings) -> int:
    """Labels from a CSV file; all of it, or nothing where the file is faulty."""
    lines = labels.read_csv(chosen.file)
    with open_database(settings) as engine, engine.begin() as connection:
        written, unknown = labels.store(connection, lines, source=chosen.source or chosen.file.name)
    print(f"{written} labels stored")
    if unknown:
        return _could_not(f"{len(unknown)} studies are not in this archive, such as {unknown[0]}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="likeness",
        description="Which studies in our archive look like this one? Not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"likeness {SOFTWARE_VERSION}")
    parser.add_argument(
        "--settings", type=Path, help="settings file (default: $LIKENESS_SETTINGS, likeness.toml)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_node_verbs(verbs)
    _add_study_verbs(verbs)
    _add_other_verbs(verbs)
    return parser


def _verb(verbs: Any, name: str, run: Verb) -> argparse.ArgumentParser:
    text = (run.__doc__ or "").splitlines()[0]
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run, misused=parser.error)
    return parser


def _add_node_verbs(verbs: Any) -> None:
    _verb(verbs, "serve", run_serve)
    demo = _verb(verbs, "demo", run_demo)
    demo.add_argument("--folder", type=Path, default=Path("run"), help="where it all lies")
    demo.add_argument("--count", type=int, default=200, help="how many studies to make")
    demo.add_argument("--once", action="store_true", help="stop after the first answer")
    status = _verb(verbs, "status", run_status)
    status.add_argument("--json", action="store_true")
    _verb(verbs, "echo", run_echo).add_argument("peer", help="a peer's name in the settings")
    _verb(verbs, "verify", run_verify)
    _verb(verbs, "reindex", run_reindex)


def _add_study_verbs(verbs: Any) -> None:
    ingest = _verb(verbs, "ingest", run_ingest)
    ingest.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    search = _verb(verbs, "search", run_search)
    search.add_argument("question", metavar="STUDY_UID|FILE")
    search.add_argument("-k", type=_positive, help="how many hits at most")
    search.add_argument("--json", action="store_true")
    _add_report_verbs(verbs)
    _verb(verbs, "close", run_close).add_argument("study", metavar="STUDY_UID")
    _verb(verbs, "failed", run_failed).add_argument("--json", action="store_true")
    retry = _verb(verbs, "retry", run_retry)
    retry.add_argument("study", nargs="?", metavar="STUDY_UID", help="default: all")


def _add_report_verbs(verbs: Any) -> None:
    report = _verb(verbs, "report", run_report)
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
    case = _verb(verbs, "case", run_case)
    case.add_argument("number", nargs="?", metavar="NUMBER", help="as in a report")
    case.add_argument("--of", metavar="STUDY_UID", help="print this study's number instead")
    case.add_argument("--json", action="store_true")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _add_other_verbs(verbs: Any) -> None:
    conformance = _verb(verbs, "conformance", run_conformance)
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE")
    encoders = verbs.add_parser("encoders", help="The encoders: list, check.")
    actions = encoders.add_subparsers(dest="action", required=True)
    _verb(actions, "list", run_encoders_list).add_argument("--json", action="store_true")
    _verb(actions, "check", run_encoders_check)
    label = verbs.add_parser("labels", help="Labels: import.").add_subparsers(
        dest="action", required=True
    )
    imported = _verb(label, "import", run_labels_import)
    imported.add_argument("file", type=Path, metavar="FILE")
    imported.add_argument("--source", help="who says so (default: the file's name)")


if __name__ == "__main__":
    sys.exit(main())

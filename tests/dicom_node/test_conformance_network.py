"""What the conformance statement says of the network, held against the running doors."""

import ast
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from pydicom.uid import MPEG4HP41, UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    PatientRootQueryRetrieveInformationModelFind,
    SegmentationStorage,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelMove,
)

import dicom_node
from dicom_node import admission, commitment_report, scp, scu, storing
from dicom_node.commitment_request import Listening, request_commitment
from dicom_node.conformance.statement import statement
from dicom_node.report_sending import send_report
from dicom_node.scu import SendError, echo
from dicom_node.serve import proved_syntaxes
from dicom_node.settings import DicomSettings, Peer, Settings
from dicom_node.sop_classes import accepted_contexts
from dicom_node.spool import Spool
from dicom_node.upper_layer import association
from encoders.self_test import SAMPLES
from storage.sends import SOPReference
from tests.dicom_node.doors import everything
from tests.dicom_node.markdown_tables import Table, plain, tables
from tests.dicom_node.receivers import peer_at, picture_file, report_file

CALLER = "SENDER"
FOREIGN_CLASSES = (
    Comprehensive3DSRStorage,
    BasicTextSRStorage,
    SegmentationStorage,
    EncapsulatedPDFStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
    UID("1.2.3.4"),
)
FOREIGN_SYNTAXES = (
    MPEG4HP41,
    UID("1.2.840.10008.1.2.4.94"),  # JPIP Referenced
    UID("1.2.3.5"),
)
MOST_CONTEXTS = 128
"""In one association: their identifiers are odd numbers up to 255 (PS3.8 9.3.2.2)."""

Pair = tuple[str, str]


def printed(**settings: Any) -> dict[str, Table]:
    return tables(statement(Settings(**settings), contexts=everything()))


def accepted(shown: Mapping[str, Table]) -> dict[str, list[str]]:
    """Transfer syntaxes by SOP class, in the order of preference, as the statement has them."""
    sets: dict[str, list[str]] = {}
    for letter, place, _, uid in shown["Transfer syntaxes accepted, by set"].rows:
        sets.setdefault(f"Set {letter}", []).append(uid)
        assert place == str(len(sets[f"Set {letter}"]))
    contexts = shown["Accepted presentation contexts"]
    assert set(contexts.column("Role")) == {"SCP"}
    return {row[1]: sets[row[2]] for row in contexts.rows}


@pytest.fixture
def listening(free_port: int, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Opens the SCP for peers; gives its port."""
    opened = []

    def listen(*peers: Peer) -> int:
        settings = Settings(dicom=DicomSettings(port=free_port), peers=peers)
        opened.append(scp.start_scp(settings, everything(), Spool(tmp_path), lambda _: None))
        return free_port

    yield listen
    for server in opened:
        server.shutdown()


def _answered(port: int, proposed: Sequence[tuple[str, Sequence[str]]]) -> list[Pair]:
    """What the SCP accepts of the contexts, over as many associations as they need."""
    found: list[Pair] = []
    for start in range(0, len(proposed), MOST_CONTEXTS):
        contexts = [
            build_context(uid, list(syntaxes))
            for uid, syntaxes in proposed[start : start + MOST_CONTEXTS]
        ]
        opened = AE(CALLER).associate("127.0.0.1", port, contexts, "LIKENESS")
        assert opened.is_established or not opened.accepted_contexts
        found += [
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in opened.accepted_contexts
        ]
        if opened.is_established:
            opened.release()
    return found


def test_exactly_the_printed_contexts_are_accepted(listening: Callable[..., int]) -> None:
    shown = accepted(printed())
    syntaxes = {uid for ours in shown.values() for uid in ours} | set(FOREIGN_SYNTAXES)
    proposed = itertools.product([*shown, *FOREIGN_CLASSES], sorted(syntaxes))
    found = _answered(listening(), [(uid, [syntax]) for uid, syntax in proposed])
    assert sorted(found) == sorted((uid, syntax) for uid, ours in shown.items() for syntax in ours)


def test_first_of_the_printed_set_is_preferred(listening: Callable[..., int]) -> None:
    shown = accepted(printed())
    proposed = [(uid, [*FOREIGN_SYNTAXES, *reversed(ours)]) for uid, ours in shown.items()]
    assert dict(_answered(listening(), proposed)) == {uid: ours[0] for uid, ours in shown.items()}


def test_what_this_machine_cannot_decode_is_not_printed() -> None:
    proved = proved_syntaxes(SAMPLES[:3])
    shown = accepted(tables(statement(Settings(), contexts=accepted_contexts(proved))))
    assert {tuple(ours) for uid, ours in shown.items() if uid != "1.2.840.10008.1.1"} == {
        tuple(str(sample.transfer_syntax) for sample in SAMPLES[:3])
    }


def _as_scp(port: int, syntax: str) -> tuple[bool, bool]:
    """Whether a peer that proposes itself as SCP of storage commitment is let in, and as that."""
    ae = AE(CALLER)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    contexts = [build_context(StorageCommitmentPushModel, syntax)]
    opened = ae.associate("127.0.0.1", port, contexts, "LIKENESS", ext_neg=[role])
    if not opened.is_established:
        return False, False
    opened.release()
    return True, bool(opened.accepted_contexts[0].as_scp)


@pytest.mark.parametrize("asked", [True, False])
def test_results_of_storage_commitment_are_taken_as_printed(
    listening: Callable[..., int], *, asked: bool
) -> None:
    peer = Peer(name="pacs", ae_title=CALLER, storage_commitment=asked)
    shown = printed(peers=(peer,))["Contexts accepted in the SCU role"]
    port = listening(peer)
    for row in shown.rows:
        assert (row[1], row[4]) == (StorageCommitmentPushModel, "SCU")
        assert _as_scp(port, row[3]) == (asked, asked)
    assert _as_scp(port, FOREIGN_SYNTAXES[0]) == (False, False)


class Proposal(NamedTuple):
    """What an association request of ours says of us."""

    contexts: set[Pair]
    calling: str
    max_pdu: int
    class_uid: str
    version_name: str


@pytest.fixture
def proposals(free_port: int) -> Iterator[list[Proposal]]:
    """What a peer that takes nothing is asked for."""
    asked: list[Proposal] = []

    def hear(event: Event) -> None:
        requestor = event.assoc.requestor
        pairs = {
            (str(context.abstract_syntax), str(syntax))
            for context in requestor.requested_contexts
            for syntax in context.transfer_syntax
        }
        asked.append(
            Proposal(
                pairs,
                requestor.primitive.calling_ae_title,
                requestor.maximum_length,
                str(requestor.implementation_class_uid),
                requestor.implementation_version_name,
            )
        )

    ae = AE("PACS")
    ae.add_supported_context("1.2.3.4")
    handlers = [(evt.EVT_REQUESTED, hear)]
    server = ae.start_server(("127.0.0.1", free_port), block=False, evt_handlers=handlers)
    yield asked
    server.shutdown()


def _echo(peer: Peer) -> None:
    echo(peer, calling_ae="LIKENESS")


def _deliver(peer: Peer) -> None:
    send_report(peer, report_file(), picture_file(), calling_ae="LIKENESS")


def _ask_commitment(peer: Peer) -> None:
    listening = Listening(lambda _: None)
    instances = [SOPReference("1.2.3", "1.2.3.4")]
    request_commitment(peer, "1.2.9", instances, listening, calling_ae="LIKENESS")


@pytest.mark.parametrize(
    ("purpose", "act"),
    [
        ("verification", _echo),
        ("delivery", _deliver),
        ("storage commitment", _ask_commitment),
    ],
)
def test_exactly_the_printed_contexts_are_proposed(
    purpose: str, act: Callable[[Peer], None], proposals: list[Proposal], free_port: int
) -> None:
    found = printed()
    shown = found[f"Proposed presentation contexts: {purpose}"]
    with pytest.raises(SendError):
        act(peer_at(free_port))
    (proposal,) = proposals
    assert proposal.contexts == {(row[1], row[3]) for row in shown.rows}
    assert set(shown.column("Role")) == {"SCU"}
    policies = found["General policies"].pairs()
    identity = found["Implementation identity"].pairs()
    length = plain(policies["Maximum PDU length announced as initiator"])
    assert length == f"{proposal.max_pdu} bytes"
    assert plain(identity["Implementation Class UID"]) == proposal.class_uid
    assert plain(identity["Implementation Version Name"]) == proposal.version_name
    assert proposal.calling == "LIKENESS"


def test_roles_agree_with_the_contexts() -> None:
    found = printed()
    scu = {
        uid
        for purpose in ("verification", "delivery", "storage commitment")
        for uid in found[f"Proposed presentation contexts: {purpose}"].column("Abstract Syntax UID")
    }
    classes = found["SOP classes"]
    assert {row[1] for row in classes.rows if row[3] == "Yes"} == set(accepted(found))
    assert {row[1] for row in classes.rows if row[2] == "Yes"} == scu
    assert {row[1:] for row in found["Network services"].rows} == {
        (row[0], row[2], row[3]) for row in classes.rows
    }


def _arguments(function: str, *modules: ModuleType) -> list[list[ast.expr]]:
    """The arguments of every call of a function in the source of modules."""
    trees = [ast.parse(inspect.getsource(module)) for module in modules]
    return [
        node.args
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    ]


def _statuses(*modules: ModuleType) -> set[str]:
    """The statuses of all answers that modules can make, four hexadecimal digits each."""
    names = {ast.unparse(arguments[0]) for arguments in _arguments("Answer", *modules)}
    holders = [vars(module) for module in modules]
    values = [next(names_of[name] for names_of in holders if name in names_of) for name in names]
    return {f"{value:04X}" for value in values}


def test_printed_statuses_are_those_that_the_scp_can_answer() -> None:
    shown = printed()["C-STORE response statuses"]
    assert set(shown.column("Status Code")) == _statuses(storing, scp, association)


def test_printed_statuses_are_those_that_a_report_of_commitment_can_get() -> None:
    shown = printed()["N-EVENT-REPORT response statuses"]
    assert set(shown.column("Status Code")) == _statuses(commitment_report)


def test_printed_rejections_are_those_that_the_door_can_give() -> None:
    for_good = [tuple(map(ast.unparse, a[:2])) for a in _arguments("_for_good", admission)]
    for_now = [("3", ast.unparse(a[0])) for a in _arguments("_for_now", admission)]
    possible = {("1", *pair) for pair in for_good} | {("2", *pair) for pair in for_now}
    rows = printed()["Rejected associations"].rows
    assert {tuple(cell.split()[0] for cell in row[:3]) for row in rows} == possible


def _takes_answers_from_the_upper_layer(path: Path) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == association.__name__
        and "Answer" in {name.name for name in node.names}
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_no_other_module_answers() -> None:
    folder = Path(dicom_node.__file__ or "").parent
    found = {
        path.name for path in folder.rglob("*.py") if _takes_answers_from_the_upper_layer(path)
    }
    assert found == {"storing.py", "scp.py", "commitment_report.py"}


def test_limits_of_time_are_told_for_what_they_hold() -> None:
    told = " ".join(statement(Settings(), contexts=everything()).split())
    assert f"TCP connection that does not come about within {scu.CONNECT_S:g} s" in told
    assert "an answer to A-ASSOCIATE-RQ, or a response to a message" in told
    assert f"that does not come within {scu.TIMEOUT_S:g} s." in told

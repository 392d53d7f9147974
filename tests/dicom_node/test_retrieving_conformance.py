"""What the conformance statement says of retrieval, held against what retrievers do."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicom_node.conformance.statement import statement
from dicom_node.retrieving.association import IDLE_S
from dicom_node.retrieving.c_get import CGetRetriever
from dicom_node.retrieving.opening import open_retriever
from dicom_node.retrieving.outcome import Outcome
from dicom_node.retrieving.retriever import (
    LONGEST_S,
    SILENCE_S,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.settings import EncoderSettings, PressureSettings, Settings
from dicom_node.sop_classes import GET_MODEL, IMAGE_STORAGE, MOVE_MODEL
from encoders.self_test import run_self_test
from tests.dicom_node.doors import everything
from tests.dicom_node.markdown_tables import plain, tables
from tests.dicom_node.receivers import peer_at

URL = "https://reader:hunter2@orthanc.example:8042"
FETCHING = EncoderSettings(fetch_from="pacs")
FROM_ORTHANC = EncoderSettings(fetch_from="orthanc", orthanc_url=URL)
Context = tuple[str, str, str]
"""Abstract syntax, transfer syntax, our role."""


@cache
def _told(retrieve: str) -> str:
    peers = (peer_at(1, retrieve=retrieve),)
    return statement(Settings(peers=peers, encoder=FETCHING), contexts=everything())


@pytest.fixture
def proposals(free_port: int) -> Iterator[list[set[Context]]]:
    """The contexts that a peer was asked for, which takes none; one set an association."""
    asked: list[set[Context]] = []

    def hear(event: Event) -> None:
        requestor = event.assoc.requestor
        roles = {uid: "SCP" for uid, (_, scp) in _roles(requestor).items() if scp}
        asked.append(
            {
                (
                    str(context.abstract_syntax),
                    str(syntax),
                    roles.get(context.abstract_syntax, "SCU"),
                )
                for context in requestor.requested_contexts
                for syntax in context.transfer_syntax
            }
        )

    ae = AE("PACS")
    ae.add_supported_context("1.2.3.4")
    server = ae.start_server(
        ("127.0.0.1", free_port), block=False, evt_handlers=[(evt.EVT_REQUESTED, hear)]
    )
    yield asked
    server.shutdown()


def _roles(requestor: Any) -> dict[UID, tuple[bool, bool]]:
    return {
        uid: (bool(item.scu_role), bool(item.scp_role))
        for uid, item in requestor.role_selection.items()
    }


def _ask(retriever: Any, sop_class: str, into: Path) -> None:
    with pytest.raises(RetrieverAwayError):
        retriever.fetch(WantedInstance("1.2", "1.2.3", sop_class, "1.2.3.4"), into)


def _printed_contexts(text: str) -> set[Context]:
    shown = tables(text)
    found = {
        (row[1], row[3], row[4]) for row in shown["Proposed presentation contexts: retrieval"].rows
    }
    if "Storage classes proposed for retrieval" in shown:
        sets: dict[str, list[str]] = {}
        for letter, _, _, uid in shown["Transfer syntaxes accepted, by set"].rows:
            sets.setdefault(f"Set {letter}", []).append(uid)
        classes = shown["Storage classes proposed for retrieval"].rows
        found |= {(row[1], uid, row[3]) for row in classes for uid in sets[row[2]]}
    return found


def test_exactly_the_printed_contexts_are_proposed_for_c_get(
    proposals: list[set[Context]], free_port: int, tmp_path: Path
) -> None:
    """Over all classes; no association proposes more than there is room for (PS3.8 9.3.2.2)."""
    settings = Settings(peers=(peer_at(free_port),), encoder=FETCHING)
    with open_retriever(settings) as retriever:
        for sop_class in IMAGE_STORAGE:
            _ask(retriever, sop_class, tmp_path)
    assert set().union(*proposals) == _printed_contexts(_told("c-get"))
    assert max(map(len, proposals)) <= 128
    told = " ".join(_told("c-get").split())
    most = max(len({uid for uid, _, role in each if role == "SCP"}) for each in proposals)
    assert f"An association has room for {most} SOP classes" in told


def test_exactly_the_printed_contexts_are_proposed_for_c_move(
    proposals: list[set[Context]], free_port: int, tmp_path: Path
) -> None:
    settings = Settings(
        data_folder=tmp_path,
        peers=(peer_at(free_port, retrieve="c-move"),),
        encoder=FETCHING,
        pressure=PressureSettings(min_free_gb=0),
    )
    with open_retriever(settings) as retriever:
        _ask(retriever, IMAGE_STORAGE[0], tmp_path)
    assert proposals == [_printed_contexts(_told("c-move"))]


def test_only_what_can_be_decoded_is_proposed(
    proposals: list[set[Context]], free_port: int, tmp_path: Path
) -> None:
    some = run_self_test().proved[:2]
    retriever = CGetRetriever(peer_at(free_port), Settings(), some, threading.Event())
    _ask(retriever, IMAGE_STORAGE[0], tmp_path)
    (proposed,) = proposals
    assert {syntax for _, syntax, role in proposed if role == "SCP"} == set(some)


@pytest.mark.parametrize(("retrieve", "model"), [("c-get", GET_MODEL), ("c-move", MOVE_MODEL)])
def test_the_sop_class_is_listed_where_it_is_used(retrieve: str, model: str) -> None:
    shown = tables(_told(retrieve))
    (row,) = [row for row in shown["SOP classes"].rows if row[1] == model]
    assert row[2:] == ("Yes", "No")
    (service,) = [row for row in shown["Network services"].rows if row[1] == row_name(model)]
    assert service == ("Query/Retrieve", row_name(model), "Yes", "No")
    assert "As initiator: Retrieve Images" in shown["Associations at once, at most"].column(
        "Activity"
    )


def row_name(uid: str) -> str:
    """As PS3.6 names it."""
    return UID(uid).name


@pytest.mark.parametrize("encoder", [EncoderSettings(), FROM_ORTHANC])
def test_nothing_is_said_of_it_where_it_is_not_used(encoder: EncoderSettings) -> None:
    text = statement(Settings(encoder=encoder), contexts=everything())
    assert "Retrieve Images" not in text
    assert "Query/Retrieve Information Model" not in text
    assert ("REST interface" in text) is (encoder is FROM_ORTHANC)


def test_the_password_of_orthanc_is_not_told() -> None:
    text = statement(Settings(encoder=FROM_ORTHANC), contexts=everything())
    assert "hunter2" not in text
    assert "orthanc.example" not in text
    shown = tables(text)["Parameters"]
    values = dict(
        zip(map(plain, shown.column("Parameter")), shown.column("Value Here"), strict=True)
    )
    assert values["encoder.orthanc_url"] == "(set)"


def test_limits_of_time_are_those_that_hold() -> None:
    told = " ".join(_told("c-get").split())
    assert f"after {IDLE_S:g} s without one it is not used any more" in told
    assert f"sends nothing at all for {SILENCE_S:g} s while it is asked is given up" in told
    assert f"an instance may take {LONGEST_S:g} s" in told


def _behaviours(retrieve: str, operation: str) -> dict[int, str]:
    rows = tables(_told(retrieve))[f"Behaviour by {operation} response status"].rows
    return {int(code, 16): row[2] for row in rows for code in row[1].split(", ") if len(code) == 4}


@pytest.mark.parametrize(("retrieve", "operation"), [("c-get", "C-GET"), ("c-move", "C-MOVE")])
def test_statuses_lead_to_what_is_printed(retrieve: str, operation: str) -> None:
    later = {
        status
        for status, behaviour in _behaviours(retrieve, operation).items()
        if behaviour.endswith("asked again later.")
    }
    found = {
        status
        for status in (*range(0x0100, 0x0300), *range(0xA000, 0xD000), 0xFE00)
        if isinstance(Outcome(status).why("pacs"), RetrieverAwayError)
    }
    assert found == later


def test_an_awaited_instance_is_told_to_be_no_part_of_the_storage() -> None:
    sentence = "An instance that this node itself asked for by C-MOVE is answered with Success"
    assert sentence in " ".join(_told("c-move").split())
    assert sentence not in " ".join(_told("c-get").split())

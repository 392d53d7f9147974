# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far a study has come, here and at the node, in one word and in a sentence."""

from __future__ import annotations

import json
from typing import NamedTuple

from orthanc_plugin.breaker import AwayError, BusyError
from orthanc_plugin.forwarding import Standing
from orthanc_plugin.marks import NOTHING, Mark
from orthanc_plugin.node import Node, NodeError
from orthanc_plugin.tasks import FAILED, SENDING, WAITING

NO_IMAGE = "holds no image that can be compared"
ASK_S = 2.0
"""How long the node may take to tell a state, in seconds."""


class State(NamedTuple):
    """A study's state: "waiting", "sending", what the node says, "unknown" or "node away"."""

    state: str
    says: str


_OF_NODE = {
    "open": "images have arrived, more may come",
    "queued": "being indexed",
    "indexed": "",
    "answered": "",
}


def state_of(standing: Standing, node: Node, study_uid: str) -> State:
    """The state of a study.

    Args:
        standing: how it stands with the plug-in.
        node: asked unless the study is on its way to it.
        study_uid: Study Instance UID.
    """
    if standing.state == WAITING:
        return State("waiting", _with("waiting to be sent", standing.said))
    if standing.state == SENDING:
        return State("sending", _with("being sent", standing.said))
    at_node = _at_node(node, study_uid)
    if standing.state == FAILED and at_node.state in {"unknown", "node away"}:
        return State("failed", f"could not be sent, and will be tried again: {standing.said}")
    if at_node.state == "unknown" and standing.mark and standing.mark.state == NOTHING:
        return State("unknown", NO_IMAGE)
    return at_node._replace(says="; ".join(filter(None, (at_node.says, _left_out(standing.mark)))))


def _with(says: str, why: str) -> str:
    return f"{says}: {why}" if why else says


def _left_out(mark: Mark | None) -> str:
    """How many images the node did not take, and why."""
    if mark is None or not mark.refused:
        return ""
    whole = mark.images + mark.refused
    return _with(f"{mark.refused} of its {whole} images not taken by the node", mark.said)


def _at_node(node: Node, study_uid: str) -> State:
    try:
        answer = node.ask(
            "GET", f"/studies/{study_uid}", {"Accept": "application/json"}, timeout_s=ASK_S
        )
    except (NodeError, AwayError, BusyError):
        return State("node away", "the node does not answer")
    if answer.status == 404:
        return State("unknown", "not known to the node")
    try:
        document = json.loads(answer.body)
        state, reason = str(document["state"]), str(document.get("reason") or "")
    except (ValueError, TypeError, KeyError, AttributeError):  # 401 and the like have no state
        return State("node away", f"the node does not tell (HTTP status {answer.status})")
    return State(state, reason if state == "failed" else _OF_NODE.get(state, state))

"""The schemas of what the HTTP service takes and answers."""

from dicom_node.http.feedback import GivenFeedback
from dicom_node.http.labels import SaidLabels
from dicom_node.http.openapi_parts import Node, an_object, or_null, ref
from dicom_node.http.reports import ReportRequest
from storage.communities.partition import Method
from storage.communities.searching import Way
from storage.search import Strategy
from storage.tables import COMMITMENTS, QUEUE_STATES, STUDY_STATES

_TEXT: Node = {"type": "string"}
_WHOLE: Node = {"type": "integer"}
_NUMBER: Node = {"type": "number"}
_TEXTS: Node = {"type": "object", "additionalProperties": _TEXT}
_VALUE: Node = {"enum": [1, 0, -1], "description": "present, absent, uncertain"}

_STATE: Node = {
    "study_instance_uid": _TEXT,
    "state": {"enum": list(STUDY_STATES)},
    "reason": or_null(_TEXT),
    "revision": _WHOLE,
}
_STUDY: Node = {
    "study_instance_uid": _TEXT,
    "patient_id": _TEXT,
    "issuer_of_patient_id": _TEXT,
    "sex": or_null(_TEXT),
    "age": or_null(_WHOLE),
    "study_date": or_null(_TEXT),
    "description": or_null(_TEXT),
}


def schemas() -> Node:
    """All of them, by name."""
    taken = {
        "ReportRequest": ReportRequest.model_json_schema(),
        "GivenFeedback": GivenFeedback.model_json_schema(),
        **_with_definitions("SaidLabels", SaidLabels.model_json_schema(ref_template=_REF)),
    }
    return taken | _answers() | _reports()


_REF = "#/components/schemas/{model}"


def _with_definitions(name: str, schema: Node) -> Node:
    definitions: Node = schema.pop("$defs", {})
    return {name: schema, **definitions}


def _answers() -> Node:
    problem = {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT}
    label = {"name": _TEXT, "value": _VALUE}
    word = {**label, "code": or_null(_TEXT), "scheme": or_null(_TEXT), "source": _TEXT}
    labels = {"study_instance_uid": _TEXT, "labels": _list("LabelWord")}
    return {
        "Problem": an_object(problem),
        "Health": an_object({"status": {"const": "ok"}}),
        "State": an_object(_STATE),
        "Study": an_object(_STUDY),
        "Label": an_object(label),
        "LabelWord": _with_optional(
            an_object(word), {"series_instance_uid": _TEXT, "sop_instance_uid": _TEXT}
        ),
        "Labels": an_object(labels),
        "Hit": _with_optional(an_object(_hit()), {"way": {"enum": list(Way)}}),
        "Answer": _with_wishes(an_object(_answer())),
    }


def _with_optional(schema: Node, more: Node) -> Node:
    """An object with what is there only where there is something to tell."""
    schema["properties"] |= more
    return schema


def _hit() -> Node:
    return {
        "rank": {"type": "integer", "minimum": 1},
        **_STUDY,
        "similarity": _NUMBER,
        "percentile": or_null(_NUMBER),
        "slice_similarity": or_null(_NUMBER),
        "labels": _list("Label"),
        "modality": _TEXT,
        "body_part": or_null(_TEXT),
        "view": or_null(_TEXT),
        "series_instance_uid": _TEXT,
        "sop_instance_uid": _TEXT,
        "frame": or_null(_WHOLE),
    }


def _answer() -> Node:
    return {
        "query": ref("Study"),
        "space": _TEXT,
        "encoder": _TEXT,
        "searched": _WHOLE,
        "asked": _WHOLE,
        "level": _NUMBER,
        "hits": _list("Hit"),
        "priors": _list("Hit"),
        "priors_found": _WHOLE,
        "label_counts": {"type": "object", "additionalProperties": _WHOLE},
        "filters": _TEXTS,
        "second_stage": or_null(
            an_object({"slices": _WHOLE, "studies": _WHOLE, "with_slices": _WHOLE})
        ),
    }


def _with_wishes(answer: Node) -> Node:
    """An answer with what is there only where it was asked for."""
    uids = {"type": "array", "items": _TEXT}
    names = ("more", "less", "left_out")
    refined = {"by": {"enum": ["feedback", "request"]}, **dict.fromkeys(names, uids)}
    communities = {
        "method": {"enum": list(Method)},
        "edges": _WHOLE,
        "vectors": _WHOLE,
        "not_held": _WHOLE,
    }
    wishes = {
        "also": uids,
        "refined": an_object(refined),
        "strategy": {"const": str(Strategy.COMMUNITIES)},
        "communities": an_object(communities),
    }
    return _with_optional(answer, wishes)


def _reports() -> Node:
    send = {
        "peer": _TEXT,
        "state": {"enum": list(QUEUE_STATES)},
        "attempts": _WHOLE,
        "reason": or_null(_TEXT),
        "taken": or_null({"type": "array", "items": {"type": "object"}}),
        "commitment": {"enum": [*COMMITMENTS, None]},
    }
    report = {
        "sop_class_uid": _TEXT,
        "sop_instance_uid": _TEXT,
        "series_instance_uid": _TEXT,
        "picture_sop_instance_uid": or_null(_TEXT),
        "picture_is_kept": {"type": "boolean"},
        "privacy": {"enum": ["identified", "pseudonymous"]},
        "revision": _WHOLE,
        "predecessor_sop_instance_uid": or_null(_TEXT),
        "hits": or_null(_WHOLE),
        "sends": _list("Send"),
    }
    return {
        "Send": an_object(send),
        "Report": an_object(report),
        "StudyAndReport": an_object({**_STATE, "report": or_null(ref("Report"))}),
    }


def _list(name: str) -> Node:
    return {"type": "array", "items": ref(name)}

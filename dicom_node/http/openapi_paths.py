"""The operations of the HTTP service, the door before them aside."""

from collections.abc import Mapping

from dicom_node.http.access import FEEDBACK, PAGE, STATIC, STUDY
from dicom_node.http.asked import (
    BY_FEEDBACK,
    MOST_AGE,
    MOST_CHARACTERS,
    MOST_HITS,
    MOST_VALUES,
    SEVERAL,
    SEXES,
    UIDS,
)
from dicom_node.http.images import MOST_FRAMES, PNG
from dicom_node.http.labels import LABELS_PATH
from dicom_node.http.openapi_parts import (
    JSON,
    Node,
    awaited,
    body,
    content,
    found,
    header,
    problems,
    query,
    ref,
)
from dicom_node.http.reports import DICOM, PICTURE_PATH, REPORT_PATH
from storage.search import Strategy

HTML = "text/html"
_UID_TEXT: Node = {"type": "string", "pattern": r"^[0-9.]{1,64}$"}


def operations() -> Mapping[tuple[str, str], Node]:
    """By method and path."""
    return {**_of_the_node(), **_of_a_study(), **_of_reports(), **_of_readers()}


def _operation(summary: str, *responses: Node, **more: object) -> Node:
    told: Node = {}
    for entry in responses:
        told |= entry
    return {"summary": summary, **more, "responses": told}


def _ok(response: Node) -> Node:
    return {"200": response}


def _of_the_node() -> Mapping[tuple[str, str], Node]:
    well = _ok(found("All is well.", "Health"))
    description = {"description": "Here it is.", "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        ("GET", "/livez"): _operation("Whether all parts of the node run.", well, problems(503)),
        ("GET", "/readyz"): _operation("Whether it receives and answers.", well, problems(503)),
        ("GET", "/metrics"): _operation(
            "The metrics, for Prometheus.", _ok(content("Here they are.", "text/plain"))
        ),
        ("GET", "/openapi.json"): _operation("This description.", _ok(description)),
    }


def _of_a_study() -> Mapping[tuple[str, str], Node]:
    return {
        ("GET", STUDY): _operation(
            "Where a study stands.", _ok(found("It is here.", "State")), problems(404)
        ),
        ("GET", f"{STUDY}/similar"): _operation(
            "The studies most similar to one.",
            _ok(found("The answer, which may hold no hit.", "Answer")),
            {"202": awaited("State")},
            problems(404, 409, 422),
            parameters=[*_question(), *_studies(), _strategy()],
        ),
        ("GET", f"{STUDY}/image.png"): _operation(
            "An image of the study as the encoder saw it: 8-bit gray, at most 512 px.",
            _ok(content("The picture.", PNG) | {"headers": {"ETag": header("Its digest.")}}),
            {"304": {"description": "It is the one of If-None-Match."}},
            problems(404, 409, 422),
            parameters=_image(),
        ),
        ("POST", f"{STUDY}/close"): _operation(
            "Closes a study that is open, so that it is indexed now.",
            _ok(found("It is closed, and queued.", "State")),
            problems(404, 409),
        ),
        ("GET", LABELS_PATH): _operation(
            "What is said of a study, with the source of each label.",
            _ok(found("The labels.", "Labels")),
            problems(404),
        ),
        ("PUT", LABELS_PATH): _operation(
            "Puts what the token says of a study in place of what it said before.",
            _ok(found("All labels of the study, whoever says them.", "Labels")),
            problems(404, 413, 415, 422),
            requestBody=body("SaidLabels"),
        ),
    }


def _of_reports() -> Mapping[tuple[str, str], Node]:
    report = content("The Structured Report, or what is known of it.", DICOM, JSON)
    report["content"][JSON] = {"schema": ref("StudyAndReport")}
    made = found("A report was made.", "StudyAndReport")
    return {
        ("GET", REPORT_PATH): _operation(
            "The report on a study as it now is.",
            _ok(report),
            {"202": awaited("StudyAndReport")},
            problems(404, 406, 409),
        ),
        ("POST", REPORT_PATH): _operation(
            "Makes the report if there is none, and sends it where it never was.",
            _ok(found("The report that was there.", "StudyAndReport")),
            {"201": made | {"headers": {"Location": header("The report.")}}},
            problems(404, 409, 413, 415, 422),
            requestBody=body("ReportRequest", required=False),
        ),
        ("GET", PICTURE_PATH): _operation(
            "The picture of the report.",
            _ok(content("The contact sheet, or its Secondary Capture.", PNG, DICOM)),
            {"202": awaited("StudyAndReport")},
            problems(404, 406, 409),
        ),
    }


def _of_readers() -> Mapping[tuple[str, str], Node]:
    page = {code: content(says, HTML) for code, says in _PAGES.items()}
    return {
        ("POST", FEEDBACK): _operation(
            "Keeps what a reader says of a hit.",
            {"204": {"description": "It is kept, or taken back."}},
            problems(404, 413, 415, 422),
            requestBody=body("GivenFeedback"),
        ),
        ("GET", PAGE): _operation(
            "The page of a study and those like it, for people.",
            page,
            parameters=[*_question(), query("viewer", "A Series Instance UID.", _UID_TEXT)],
        ),
        ("GET", STATIC): _operation(
            "A style sheet, script or icon of the page.",
            _ok(content("The file.", "text/css", "text/javascript", "image/svg+xml")),
            problems(404),
        ),
    }


_PAGES = {
    "200": "The answer.",
    "202": "The study is not indexed yet.",
    "400": "The path names no UID.",
    "404": "The study is not here.",
    "409": "It cannot be asked with.",
    "422": "The parameters ask for what there is not.",
    "503": "The database does not answer.",
}


def _question() -> list[Node]:
    text = {"type": "string", "maxLength": MOST_CHARACTERS}
    day = {"type": "string", "format": "date"}
    age = {"type": "integer", "minimum": 0, "maximum": MOST_AGE}
    hits = {"type": "integer", "minimum": 1, "maximum": MOST_HITS}
    several = [
        query(
            name,
            "Studies with any of these; printable characters.",
            {"type": "array", "items": text, "maxItems": MOST_VALUES},
        )
        for name in SEVERAL
    ]
    one: dict[str, tuple[str, Node]] = {
        "k": ("How many hits at most; by default as the settings say.", hits),
        "sex": ("Patient's Sex (0010,0040).", {"enum": list(SEXES)}),
        "age_min": ("Years, this one included.", age),
        "age_max": ("Years, this one included.", age),
        "date_from": ("Study Date, this day included.", day),
        "date_to": ("Study Date, this day included.", day),
        "refine": ("By the marks of this reader; not with more or less.", {"enum": [BY_FEEDBACK]}),
    }
    return several + [
        query(name, says, schema, allowEmptyValue=True) for name, (says, schema) in one.items()
    ]


def _studies() -> list[Node]:
    says = {
        "also": "Further studies to ask with: the best image of any counts.",
        "more": "Studies to seek more like.",
        "less": "Studies to seek less like; they are no hits.",
    }
    uids = {"type": "array", "items": _UID_TEXT, "maxItems": MOST_VALUES}
    return [query(name, f"{says[name]} Study Instance UIDs.", uids) for name in UIDS]


def _strategy() -> Node:
    says = "How studies are looked for; by default the nearest. Communities, if the node has some."
    return query("strategy", says, {"enum": list(Strategy)}, allowEmptyValue=True)


def _image() -> list[Node]:
    frame = {"type": "integer", "minimum": 1, "maximum": MOST_FRAMES}
    return [
        query("instance", "SOP Instance UID; by default the first that was embedded.", _UID_TEXT),
        query("frame", "Its frame, from 1; needs the instance.", frame),
    ]

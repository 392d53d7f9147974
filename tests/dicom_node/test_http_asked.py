"""The parameters of a question: what they come to, and what is refused."""

from datetime import date
from urllib.parse import urlencode

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dicom_node.http.asked import asked
from storage.filters import NO_FILTERS, Filters
from storage.search import Marks, Strategy, Wish


def _request(query: str) -> Request:
    return Request({"type": "http", "headers": [], "query_string": query.encode()})


@pytest.mark.parametrize(
    ("query", "k", "filters"),
    [
        ("", None, NO_FILTERS),
        ("k=1", 1, NO_FILTERS),
        ("k=100", 100, NO_FILTERS),
        ("modality=CR&modality=DX&modality=CR", None, Filters(modalities=("CR", "DX"))),
        ("body_part=CHEST&view=PA", None, Filters(body_parts=("CHEST",), views=("PA",))),
        ("label=Pleural+effusion", None, Filters(labels=("Pleural effusion",))),
        ("label=%E8%82%BA%E7%82%8E", None, Filters(labels=("肺炎",))),
        ("view.0=PA&view.7=AP&view=LAT", None, Filters(views=("PA", "AP", "LAT"))),
        ("sex=O", None, Filters(sex="O")),
        ("age_min=0&age_max=999", None, Filters(age_min=0, age_max=999)),
        ("age_min=40&age_max=40", None, Filters(age_min=40, age_max=40)),
        (
            "date_from=2024-02-29&date_to=2024-02-29",
            None,
            Filters(date_from=date(2024, 2, 29), date_to=date(2024, 2, 29)),
        ),
        ("k=&modality=&sex=&age_min=&date_to=&modality=CR", None, Filters(modalities=("CR",))),
    ],
)
def test_parameters_become_filters(query: str, k: int | None, filters: Filters) -> None:
    assert asked(_request(query)) == Wish(k, filters)


@pytest.mark.parametrize(
    ("query", "wish"),
    [
        ("also=1.2&also=1.3&also=1.2", Wish(also=("1.2", "1.3"))),
        ("also.0=1.2&also.1=1.3", Wish(also=("1.2", "1.3"))),
        ("more=1.2&less=1.3&less=1.4", Wish(marks=Marks(("1.2",), ("1.3", "1.4")))),
        ("refine=feedback", Wish(marks=Marks(by_reader=True))),
        ("refine=&more=&less=&also=", Wish()),
        ("strategy=communities", Wish(strategy=Strategy.COMMUNITIES)),
        ("strategy=nearest", Wish()),
        ("strategy=", Wish()),
    ],
)
def test_parameters_name_studies_and_marks(query: str, wish: Wish) -> None:
    assert asked(_request(query)) == wish


NUMBERS = [
    "-1",
    "+1",
    "1.0",
    "1e1",
    "0x1",
    "1_0",
    "one",
    "1 ",
    "\u0661",
    "\u00b2",
    "1" * 5000,
    "%00",
]
DATES = ["2024-02-30", "2024-13-01", "0000-01-01", "20240101", "2024-W01-1", "2024-1-1", "today"]
TEXTS = ["%00", "a%0Ab", "a%1Bb", "x" * 257, "%FF", "a%E2%80%AEb", "%ED%A0%80"]
BROKEN = [
    *(("k", value) for value in ["0", "101", *NUMBERS]),
    *(("sex", value) for value in ["f", "X", "female", "%00"]),
    *((name, value) for name in ("age_min", "age_max") for value in ["1000", *NUMBERS]),
    *((name, value) for name in ("date_from", "date_to") for value in [*DATES, "2024-01-01%00"]),
    *((name, value) for name in ("modality", "body_part", "view", "label") for value in TEXTS),
    *((name, value) for name in ("also", "more", "less") for value in ["1.2x", "1" * 65, *TEXTS]),
    *(("strategy", value) for value in ["Communities", "knn", "1", "%00", "communities "]),
    *(("refine", value) for value in ["Feedback", "yes", "1.2.3", "%00"]),
]


@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_a_malformed_parameter_is_named(name: str, value: str) -> None:
    query = f"{name}={value.replace('+', '%2B').replace(' ', '%20')}"
    assert _refusal(query).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("modalities=CR", "'modalities': no such parameter"),
        ("K=3", "'K': no such parameter"),
        ("%00=1", "'\\x00': no such parameter"),
        ("sex.0=F", "'sex.0': no such parameter"),
        ("view.x=PA", "'view.x': no such parameter"),
        (f"{'x' * 100}=1", f"'{'x' * 64}': no such parameter"),
        ("k=1&k=1", "k: given more than once"),
        ("sex=F&sex=M", "sex: given more than once"),
        ("age_min=41&age_max=40", "age_min: is more than age_max"),
        ("date_from=2024-01-02&date_to=2024-01-01", "date_from: is more than date_to"),
        (urlencode([("label", n) for n in range(51)]), "label: given more than 50 times"),
        (
            "sex=X&k=0",
            "k: takes a whole number from 1 to 100; sex: takes one of F, M, O",
        ),
        ("viewer=1.2", "'viewer': no such parameter"),
        ("refine=feedback&more=1.2", "refine: takes the reader's marks, and more others"),
        ("strategy=nearest&strategy=nearest", "strategy: given more than once"),
        ("refine=feedback&refine=feedback", "refine: given more than once"),
        (urlencode([("less", f"1.{n}") for n in range(51)]), "less: given more than 50 times"),
    ],
)
def test_what_makes_no_question_is_refused(query: str, expected: str) -> None:
    assert _refusal(query) == expected


def test_a_path_may_take_parameters_of_its_own() -> None:
    assert asked(_request("viewer=1.2&k=3"), extra=("viewer",)) == Wish(3, NO_FILTERS)


def test_a_path_may_leave_parameters_out() -> None:
    with pytest.raises(HTTPException, match="'more': no such parameter"):
        asked(_request("more=1.2&refine="), without=("more",))


def test_ten_thousand_parameters_are_refused_at_once() -> None:
    assert _refusal("&".join(f"a{n}=" for n in range(10_000))).count(";") == 49


def _refusal(query: str) -> str:
    with pytest.raises(HTTPException) as refused:
        asked(_request(query))
    assert refused.value.status_code == 422
    return refused.value.detail

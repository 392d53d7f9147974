"""Which of several images at one position stands for all: one row for each rule, in its order."""

from typing import Any

import pytest

from encoders.choice import choose_images
from encoders.frame_header import FrameHeader
from encoders.precedence import precedence
from tests.encoders.objects import header

Fields = dict[str, Any]


def typed(*terms: str) -> Fields:
    return {"image_type": ("ORIGINAL", "PRIMARY", *terms)}


RULES: list[tuple[str, Any, Any]] = [  # in their order: what goes first, and what it goes before
    ("complex_image_component", "MAGNITUDE", "PHASE"),
    ("b_value", 0.0, 1000.0),
    ("echo_time", 10.0, 80.0),
    ("echo_number", 1, 2),
    ("acquisition_number", 1, 2),
    ("temporal_position", 1, 2),
    ("trigger_time", 0.0, 400.0),
    ("image_type", ("ORIGINAL", "PRIMARY", "A"), ("ORIGINAL", "PRIMARY", "B")),
]


def winner(first: Fields, second: Fields) -> str:
    """UID of the chosen one; the second's is the lower, so it wins where nothing else parts."""
    headers = [header("1.1", **second), header("1.2", **first)]
    return choose_images(headers).chosen[0].header.sop_instance_uid


@pytest.mark.parametrize("place", range(len(RULES)), ids=[rule[0] for rule in RULES])
def test_each_rule_outweighs_all_later_ones(place: int) -> None:
    keyword, better, worse = RULES[place]
    first = {keyword: better} | {later: bad for later, _, bad in RULES[place + 1 :]}
    second = {keyword: worse} | {later: good for later, good, _ in RULES[place + 1 :]}
    assert winner(first, second) == "1.2"


@pytest.mark.parametrize("rule", RULES[1:-1], ids=[rule[0] for rule in RULES[1:-1]])
def test_absent_comes_before_a_value(rule: tuple[str, Any, Any]) -> None:
    assert winner({}, {rule[0]: rule[1]}) == "1.2"


def test_the_uid_decides_last() -> None:
    assert winner({}, {}) == "1.1"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (typed("M", "ND"), typed("P", "ND")),  # Siemens
        (typed("M", "ND"), typed("R", "ND")),
        (typed("M_FFE", "M", "FFE"), typed("PHASE MAP", "P", "FFE")),  # Philips
        (typed("M_IR", "M", "IR"), typed("I_IR", "I", "IR")),
        (typed("M_PCA", "M", "PCA"), typed("VELOCITY MAP", "P", "PCA")),
        (typed("R"), typed("I")),
        (typed("I"), typed("P")),
        (typed("M"), typed("OTHER")),
        (typed("OTHER"), typed("P")),
        # the attribute has more to say than the type
        ({**typed("P"), "complex_image_component": "MAGNITUDE"}, typed("R")),
        # MIXED says nothing about the one image
        ({**typed("M"), "complex_image_component": "MIXED"}, typed("P")),
    ],
)
def test_components_as_vendors_write_them(first: Fields, second: Fields) -> None:
    assert winner(first, second) == "1.2"


@pytest.mark.parametrize("term", ["IN_PHASE", "IP", "MPR_LIKE", "PROTON", "RESP_GATED", ""])
def test_terms_that_only_look_like_a_component(term: str) -> None:
    unstated = precedence(header(**typed("OTHER")), None, FrameHeader())
    assert precedence(header(**typed(term)), None, FrameHeader())[0] == unstated[0]


def test_of_two_kinds_every_study_takes_the_same() -> None:
    for fat, water in (("1.1", "1.2"), ("1.2", "1.1")):
        headers = [header(fat, **typed("M", "FAT")), header(water, **typed("M", "WATER"))]
        assert choose_images(headers).chosen[0].header.sop_instance_uid == fat


def test_a_frames_own_value_goes_before_its_instances() -> None:
    one = header(number_of_frames=2, echo_time=10.0, acquisition_number=1)
    own = precedence(one, 1, FrameHeader(echo_time=80.0, acquisition_number=0))
    assert own[2] == 80.0
    assert own[4] == 0
    assert own[-1] == 1

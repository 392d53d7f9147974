"""Single cells."""

import math

import pytest

from evaluation.readers.cells import (
    age_bands,
    age_of,
    ages_at,
    number_of,
    sex_of,
    split_of,
    state_of,
    text_of,
    year_of,
)


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        ("58", 58.0),
        ("58.0", 58.0),
        ("058Y", 58.0),  # PS3.5 section 6.2: nnnD, nnnW, nnnM, nnnY
        ("058y", 58.0),
        ("018M", 1.5),
        ("012M", 1.0),
        ("0", 0.0),
        ("120", 120.0),
        ("487D", 487 / 365.25),
        ("100W", 700 / 365.25),
    ],
)
def test_ages_are_in_years(cell: str, years: float) -> None:
    assert age_of(cell) == pytest.approx(years)


@pytest.mark.parametrize("cell", ["", "nan", "Unknown", "414", "121", "412Y"])
def test_unknown_and_impossible_ages_are_nan(cell: str) -> None:
    # ChestX-ray14's first file has a patient of 414 years
    assert math.isnan(age_of(cell))


@pytest.mark.parametrize("cell", ["-5", "fifty", "58X", "1e2", "5 8", "Y"])
def test_what_is_no_age_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is no age; write years"):
        age_of(cell)


def test_years_of_dates() -> None:
    assert year_of("21800506") == 2180
    assert math.isnan(year_of(""))
    for cell in ("2180", "06.05.2180", "2180-05-06"):
        with pytest.raises(ValueError, match="is no date; write YYYYMMDD"):
            year_of(cell)


def test_ages_by_years_are_unknown_where_they_cannot_be() -> None:
    found = ages_at(
        [2180, 2180, 2180, 2180, math.nan, 2180], [2128, 2180, 2181, 2059, 2000, math.nan]
    )
    assert found[:2] == [52, 0]
    assert all(math.isnan(age) for age in found[2:])


def test_age_bands() -> None:
    ages = [0.0, 17.9, 18.0, 39.9, 40.0, 59.0, 60.0, 79.9, 80.0, 110.0, math.nan]
    bands = ["0-17"] * 2 + ["18-39"] * 2 + ["40-59"] * 2 + ["60-79"] * 2 + ["80+"] * 2 + [""]
    assert age_bands(ages).tolist() == bands


@pytest.mark.parametrize(
    ("cell", "sex"),
    [("M", "M"), ("Female", "F"), ("male", "M"), ("O", "O"), ("", ""), ("Unknown", ""), ("U", "")],
)
def test_sexes(cell: str, sex: str) -> None:
    assert sex_of(cell) == sex


def test_what_is_no_sex_is_refused() -> None:
    with pytest.raises(ValueError, match="'3' is no sex"):
        sex_of("3")


@pytest.mark.parametrize(
    ("cell", "state"),
    [("1.0", 1), ("1", 1), ("0.0", 0), ("0", 0), ("-1.0", -1), ("-1", -1), ("", -2), ("nan", -2)],
)
def test_states(cell: str, state: int) -> None:
    assert state_of(cell) == state


@pytest.mark.parametrize("cell", ["2", "yes", "0.5", "-2", "inf"])
def test_what_is_no_state_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is no state; write 1, 0, -1"):
        state_of(cell)


@pytest.mark.parametrize(
    ("cell", "split"),
    [("train", "train"), ("Validate", "val"), ("valid", "val"), ("test", "test"), ("fold 3",) * 2],
)
def test_splits(cell: str, split: str) -> None:
    assert split_of(cell) == split


def test_numbers() -> None:
    assert number_of("1930.0") == 1930
    assert math.isnan(number_of(""))
    for cell in ("inf", "12 lb"):
        with pytest.raises(ValueError, match="is no number"):
            number_of(cell)


def test_texts_that_say_nothing_are_empty() -> None:
    assert [text_of(cell) for cell in ("PA", "UNK", "nan", "None")] == ["PA", "", "", ""]

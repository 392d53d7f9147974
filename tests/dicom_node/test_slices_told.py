"""What the command line, the HTTP service and the page tell of a second stage by slices."""

from dicom_node.console import answer_json, answer_text
from dicom_node.http.pages_words import account
from storage.answer import Answer, SecondStage
from tests.dicom_node.answers import answer, hit

COMPARED: Answer = answer(
    hits=(hit(1, 101, slice_similarity=0.98765), hit(2, 102)),
    second_stage=SecondStage(slices=32, studies=50, with_slices=48),
)


def test_json_tells_both_likenesses_and_how_many_were_compared() -> None:
    told = answer_json(COMPARED)
    assert told["second_stage"] == {"slices": 32, "studies": 50, "with_slices": 48}
    assert [entry["slice_similarity"] for entry in told["hits"]] == [0.98765, None]
    assert answer_json(answer())["second_stage"] is None


def test_the_table_has_a_column_of_slices_where_some_were_compared() -> None:
    head, note, columns, first, second, *_ = answer_text(COMPARED).splitlines()
    assert "searched" in head
    assert note.startswith("Of the 50 nearest studies 48 have slices kept")
    assert columns.split()[:4] == ["rank", "percentile", "similarity", "slices"]
    assert [line.split()[3] for line in (first, second)] == ["0.9877", "-"]


def test_nothing_is_said_of_slices_where_none_were_compared() -> None:
    for stage in (None, SecondStage(0, 0, 0)):
        plain = answer(second_stage=stage)
        assert answer_text(plain) == answer_text(answer())
        assert "slices" not in answer_text(plain) + account(plain)


def test_the_page_says_by_what_the_hits_are_ordered() -> None:
    assert account(COMPARED).endswith(
        "Of the 50 nearest studies 48 are in the order of their slices' likeness."
    )

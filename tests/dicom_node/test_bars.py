"""Bars of verbs."""

import io

from tqdm import tqdm

from dicom_node.verbs.bars import bar, onto


def test_a_bar_is_told_how_many_are_done_of_how_many() -> None:
    with tqdm(file=io.StringIO()) as shown:
        tell = onto(shown)
        for done in (3, 3, 10):
            tell(done, 20)
            assert (shown.n, shown.total) == (done, 20)


def test_nothing_is_shown_where_standard_error_is_no_terminal() -> None:
    with bar("reading", "file", 3) as shown:
        assert shown.disable

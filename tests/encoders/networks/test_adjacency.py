"""Matrices of neighbours: what is refused, and their normal form by hand."""

import pytest
import torch

from encoders.encoder import EncoderError
from encoders.networks.adjacency import checked, normalised


def test_a_good_matrix_is_taken_as_it_is() -> None:
    found = checked([[1, 0], [0, 1]], 2)
    assert found.dtype == torch.int64
    assert found.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (None, r"needs config\['neighbours'\]"),
        ([[1, 1], [1, 1]], "not 3 x 3"),
        ([[1, 1, 1], [1, 1, 1], [1, 1]], "not 3 x 3"),
        ([[1, 2, 0], [2, 1, 0], [0, 0, 1]], "other numbers"),
        ([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]], "other numbers"),
        ([[0, 1, 0], [1, 1, 0], [0, 0, 1]], "its own neighbour"),
        ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], "not symmetric"),
    ],
)
def test_what_is_no_graph_of_neighbours(rows: list[list[int]] | None, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        checked(rows, 3)


def test_normalised_by_hand() -> None:
    """A chain of three: degrees 2, 3 and 2 with themselves."""
    found = normalised(torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]]))
    half, third, root = 1 / 2, 1 / 3, 1 / 6**0.5
    expected = torch.tensor([[half, root, 0], [root, third, root], [0, root, half]])
    torch.testing.assert_close(found, expected)

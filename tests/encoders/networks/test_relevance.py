"""Rules of relevance against loops written from the paper's formulas, and their conservation."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.networks import relevance as rules

Doubles = NDArray[np.float64]
Window = tuple[slice, slice]

CONVOLUTIONS = [  # rows, columns, kernel, stride, padding
    pytest.param(4, 5, 1, 1, 0, id="1x1"),
    pytest.param(5, 4, 3, 1, 1, id="3x3 as in a dense layer"),
    pytest.param(7, 6, 3, 2, 1, id="a stride that leaves a column over"),
    pytest.param(6, 9, 7, 2, 3, id="7x7 as the first of DenseNet"),
    pytest.param(8, 8, 3, 2, 0, id="rows and columns that no window reaches"),
]


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def windows(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> list[list[Window]]:
    """Return the part of the image, then that of the kernel, for each place of the window."""
    found = []
    for side in shape:
        starts = range(-padding, side + padding - kernel + 1, stride)
        found.append([(max(0, at), min(side, at + kernel), at) for at in starts])
    return [
        [
            (slice(top, bottom), slice(left, right)),
            (slice(top - row, bottom - row), slice(left - column, right - column)),
        ]
        for (top, bottom, row), (left, right, column) in product(*found)
    ]


def by_shares(
    inputs: Tensor,
    weight: Tensor,
    relevance: Tensor,
    stride: int,
    padding: int,
    parts: Callable[[Doubles, Doubles], Doubles],
) -> Doubles:
    """Give each output's relevance to its inputs, one output after the other."""
    x, w, r = (some.numpy() for some in (inputs, weight, relevance))
    found = np.zeros_like(x)
    places = windows(x.shape[2:], w.shape[2], stride, padding)
    for image, output in product(range(len(x)), range(len(w))):
        for (inside, of_kernel), arrived in zip(places, r[image, output].flat, strict=True):
            share = parts(x[image][:, *inside], w[output][:, *of_kernel])
            if share.sum() == 0:
                share = np.ones_like(share)
            found[image][:, *inside] += arrived * share / share.sum()
    return found


def convolution(
    rows: int, columns: int, kernel: int, stride: int, padding: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs with dark corners, filters of which one has no positive weight, relevance."""
    inputs, weight = drawn(1, 2, 3, rows, columns), drawn(2, 4, 3, kernel, kernel)
    inputs[:, :, : rows // 2, : columns // 2] = 0
    weight[1] = -weight[1].abs()
    shape = torch.nn.functional.conv2d(inputs, weight, stride=stride, padding=padding).shape
    return inputs, weight, drawn(3, *shape).abs()


@pytest.mark.parametrize(("rows", "columns", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_z_plus_gives_each_input_its_share(
    rows: int, columns: int, kernel: int, stride: int, padding: int
) -> None:
    inputs, weight, relevance = convolution(rows, columns, kernel, stride, padding)
    inputs = inputs.relu()
    found = rules.z_plus_conv(inputs, weight, relevance, stride, padding)
    expected = by_shares(
        inputs, weight, relevance, stride, padding, lambda x, w: x * np.maximum(w, 0)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert found.sum() == pytest.approx(float(relevance.sum()))


@pytest.mark.parametrize(("rows", "columns", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_bounded_inputs_share_by_their_distance_to_the_bounds(
    rows: int, columns: int, kernel: int, stride: int, padding: int
) -> None:
    inputs, weight, relevance = convolution(rows, columns, kernel, stride, padding)
    low, high = np.array([[[-5.0]], [[-6.0]], [[-7.0]]]), np.array([[[5.0]], [[4.0]], [[6.0]]])
    found = rules.z_bounded_conv(
        inputs,
        weight,
        relevance,
        low=torch.from_numpy(low),
        high=torch.from_numpy(high),
        stride=stride,
        padding=padding,
    )
    expected = by_shares(
        inputs,
        weight,
        relevance,
        stride,
        padding,
        lambda x, w: x * w - low * np.maximum(w, 0) - high * np.minimum(w, 0),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert found.sum() == pytest.approx(float(relevance.sum()))


def test_a_black_pixel_under_a_positive_weight_takes_nothing() -> None:
    image, weight = torch.tensor([[[[0.0, 0.25]]]]), torch.tensor([[[[2.0, 2.0]]]])
    found = rules.z_bounded_conv(image, weight, torch.ones(1, 1, 1, 1), low=0.0, high=1.0)
    assert found.flatten().tolist() == [0, 1]


def test_a_white_pixel_under_a_negative_weight_takes_nothing() -> None:
    # shares by hand: (0.25 - 0) * 3 of the first, (1 - 0.5) * 2 of the second, 0 of the third
    image, weight = torch.tensor([[[[0.25, 0.5, 1.0]]]]), torch.tensor([[[[3.0, -2.0, -4.0]]]])
    found = rules.z_bounded_conv(image, weight, torch.ones(1, 1, 1, 1), low=0.0, high=1.0)
    np.testing.assert_allclose(found.flatten(), np.array([0.75, 1.0, 0.0]) / 1.75, rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "weight", "expected"),
    [
        pytest.param([1, 2, 3], [4, 3, -9], [0.4, 0.6, 0], id="positive weights share"),
        pytest.param([1, 2, 3], [-1, -1, -1], [1 / 3] * 3, id="none is positive"),
        pytest.param([0, 0, 0], [1, 2, 3], [1 / 3] * 3, id="nothing went in"),
        pytest.param([1e-38, 0, 0], [1e-3, 1, 1], [1 / 3] * 3, id="too little to divide by"),
    ],
)
def test_a_linear_layer_by_hand(
    inputs: list[float], weight: list[float], expected: list[float]
) -> None:
    found = rules.z_plus_linear(
        torch.tensor([inputs], dtype=torch.float32),
        torch.tensor([weight], dtype=torch.float32),
        torch.ones(1, 1),
    )
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (5, 4), (7, 5)])
def test_an_average_is_shared_by_what_it_is_of(rows: int, columns: int) -> None:
    inputs = drawn(1, 2, 3, rows, columns).relu()
    inputs[0, 0, :2, :2] = 0
    relevance = drawn(2, 2, 3, rows // 2, columns // 2).abs()
    expected = np.zeros(inputs.shape)
    for image, channel, row, column in np.ndindex(*relevance.shape):
        at = image, channel, slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        square = inputs[at].numpy()
        share = square / square.sum() if square.any() else np.full((2, 2), 0.25)
        expected[at] = float(relevance[image, channel, row, column]) * share
    found = rules.average_pool(inputs, relevance, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found.sum() == pytest.approx(float(relevance.sum()))


def test_a_mean_over_all_positions_is_shared_by_what_it_is_of() -> None:
    inputs = torch.tensor([[[[1.0, 3.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    found = rules.global_average(inputs, torch.tensor([[16.0, 8.0]]))
    assert found.tolist() == [[[[2, 6], [0, 8]], [[2, 2], [2, 2]]]]


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (7, 5)])
def test_the_greatest_input_takes_all(rows: int, columns: int) -> None:
    inputs = drawn(1, 2, 3, rows, columns).relu()  # windows of nothing but 0, too
    inputs[0, 0] = 0
    relevance = drawn(2, 2, 3, (rows + 1) // 2, (columns + 1) // 2).abs()
    expected = np.zeros(inputs.shape)
    places = windows((rows, columns), 3, 2, 1)
    for image, channel in product(range(2), range(3)):
        for (inside, _), arrived in zip(places, relevance[image, channel].flatten(), strict=True):
            part = inputs[image, channel].numpy()[inside]
            row, column = np.unravel_index(part.argmax(), part.shape)
            expected[image, channel][inside][row, column] += float(arrived)
    found = rules.max_pool(inputs, relevance, 3, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_border_takes_none_of_an_even_spread() -> None:
    # a 3x3 window on the corner of an image holds four of its pixels
    relevance = torch.zeros(1, 1, 3, 3)
    relevance[0, 0, 0, 0] = 1
    found = rules.z_plus_conv(torch.zeros(1, 1, 3, 3), torch.ones(1, 1, 3, 3), relevance, padding=1)
    assert found[0, 0].tolist() == [[0.25, 0.25, 0], [0.25, 0.25, 0], [0, 0, 0]]

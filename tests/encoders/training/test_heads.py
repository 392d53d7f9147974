"""What stands on a network while it learns."""

import numpy as np
import pytest
import torch

from encoders.networks.graph_transformer import NodeStates
from encoders.networks.hashing import Hashed
from encoders.networks.known import build
from encoders.training.fault import TrainingError
from encoders.training.heads import Linear, OnLastStates, head_of
from tests.encoders.training.small import recipe


def small() -> object:
    asked = recipe().network
    return build(asked.builder, asked.config, asked.pooling)


def test_linear_is_a_product_and_a_bias() -> None:
    head = head_of("linear", small(), 3, 2)  # type: ignore[arg-type]
    assert isinstance(head, Linear)
    vectors = torch.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]])
    weight, bias = (one.detach().numpy() for one in (head.out.weight, head.out.bias))
    expected = [[float(np.dot(row, v)) + b for row, b in zip(weight, bias, strict=True)]
                for v in vectors.numpy()]  # fmt: skip
    np.testing.assert_allclose(head(None, vectors).detach().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_last_states_are_averaged_over_regions(layers: int) -> None:
    states = [torch.randn(2, 5, 4) for _ in range(layers + 1)]
    head = head_of("linear on last states", small(), 4, 3)  # type: ignore[arg-type]
    assert isinstance(head, OnLastStates)
    found = head(NodeStates(states[0], tuple(states[1:])), torch.zeros(2, 9))
    expected = states[-1].mean(dim=1) @ head.out.weight.T + head.out.bias
    torch.testing.assert_close(found, expected)


def test_codes_stand_behind_classes() -> None:
    net = build("hash net", {"in_channels": 1, "img_size": 32, "bits": 8}, "continuous")
    head = head_of("codes and classes", net, 8, 3)
    features, codes = torch.randn(2, 16), torch.randn(2, 8)
    found = head(Hashed(features, codes), codes)
    assert found.shape == (2, 11)
    torch.testing.assert_close(found[:, 3:], codes)


def test_no_head_passes_the_vectors() -> None:
    vectors = torch.randn(2, 3)
    assert head_of("none", small(), 3, 1)(None, vectors) is vectors  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liner", "no head 'liner'; there are linear, linear and vector, linear on last states"),
        ("", "no head ''"),
        ("codes and classes", "stands on a hash net"),
    ],
)
def test_a_head_that_does_not_stand(name: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        head_of(name, small(), 16, 1)  # type: ignore[arg-type]

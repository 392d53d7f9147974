"""Networks beside the weight-free descriptor, and the perceptron that learns of it."""

from typing import Any

import numpy as np
import pytest
import torch

from encoders.baseline import describe
from encoders.baseline_size import DIMENSION
from encoders.descriptor_channel import only_descriptor
from encoders.encoder import EncoderError
from encoders.networks.beside_descriptor import Beside
from encoders.networks.descriptor_perceptron import Perceptron
from encoders.networks.known import build
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Preprocessing
from encoders.transforms import transforms_of

SMALL = {"in_channels": 1, "width": 2, "mirrored": True}
PERCEPTRON = {"hidden": 9, "dimension": 5, "dropout": 0.5}
RESNET_PART = {"builder": "small resnet", "config": SMALL, "pooling": "normed mean", "share": 0.5}
PERCEPTRON_PART = {
    "builder": "descriptor perceptron",
    "config": PERCEPTRON,
    "pooling": "normed",
    "share": 2,
    "descriptor": True,
}
BOTH = {"parts": [RESNET_PART, PERCEPTRON_PART]}
SEEN = Preprocessing(size=48, resize="square", mean=(0.5,), std=(0.25,), descriptor=True)


def images(count: int = 2) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    return list(np.random.default_rng(1).random((count, 60, 50), np.float32))


def batch_of(some: list[np.ndarray[Any, np.dtype[np.float32]]]) -> torch.Tensor:
    return torch.stack([transforms_of(SEEN)(image) for image in some])


def whole() -> PooledNetwork:
    torch.manual_seed(0)
    return build("beside the descriptor", BOTH, "concatenated").eval()


def test_the_cosine_is_the_weighted_mean_of_all() -> None:
    network = whole()
    body = network.body
    assert isinstance(body, Beside)
    some = images()
    batch = batch_of(some)
    assert batch.shape == (2, SEEN.channels, 48, 48) == (2, 2, 48, 48)
    with torch.inference_mode():
        one, other = torch.nn.functional.normalize(network(batch), dim=1)
        seen = (body.parts[0](batch[:, :1]), body.parts[1](batch))
        first, second = (torch.nn.functional.normalize(found, dim=1) for found in seen)
    alike = float(describe(some[0]) @ describe(some[1]))
    learned = 0.5**2 * float(first[0] @ first[1]) + 2**2 * float(second[0] @ second[1])
    assert float(one @ other) == pytest.approx((alike + learned) / (1 + 0.25 + 4), abs=1e-5)
    assert one.shape == (DIMENSION + 16 + 5,)


def test_of_what_the_networks_were_not_made_for_only_the_descriptor_is_asked() -> None:
    some = images()
    batch = torch.stack([only_descriptor(one) for one in batch_of(some)])
    with torch.inference_mode():
        found = whole()(batch).numpy()
    np.testing.assert_allclose(found[:, :DIMENSION], [describe(one) for one in some], atol=1e-6)
    assert not found[:, DIMENSION:].any()


def test_the_descriptor_stands_in_the_last_channel_row_by_row() -> None:
    [image] = images(1)
    plane = transforms_of(SEEN)(image)[-1].numpy().ravel()
    assert np.array_equal(plane[:DIMENSION], describe(image))
    assert plane[DIMENSION] == 1  # its networks were made for it, unless somebody says otherwise
    assert not plane[DIMENSION + 1 :].any()


def test_a_perceptron_is_what_a_loop_computes() -> None:
    torch.manual_seed(0)
    network = build("descriptor perceptron", PERCEPTRON, "normed")
    body = network.body
    assert isinstance(body, Perceptron)
    network.train()
    for _ in range(3):  # so that the norms have learned something
        network(torch.rand(8, 2, 48, 48))
    network.eval()
    batch = batch_of(images(1))
    told = {name: one.double().numpy() for name, one in body.state_dict().items()}
    seen = batch[0, -1].flatten()[:DIMENSION].double().numpy()
    seen = (seen - told["seen.running_mean"]) / np.sqrt(told["seen.running_var"] + 1e-5)
    hidden = [
        max(0.0, sum(w * x for w, x in zip(row, seen, strict=True)) + bias)
        for row, bias in zip(told["hidden.weight"], told["hidden.bias"], strict=True)
    ]
    out = told["out.weight"] @ np.array(hidden) + told["out.bias"]
    expected = (out - told["norm.running_mean"]) / np.sqrt(told["norm.running_var"] + 1e-5)
    with torch.inference_mode():
        np.testing.assert_allclose(network(batch)[0].numpy(), expected, atol=1e-4)


def test_a_perceptron_never_sees_the_image() -> None:
    network = build("descriptor perceptron", PERCEPTRON, "normed").eval()
    batch = batch_of(images())
    other = batch.clone()
    other[:, 0] = 7
    with torch.inference_mode():
        assert torch.equal(network(batch), network(other))


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"parts": []}, "concatenated"),
        ({}, "concatenated"),
        ({**BOTH, "share": 1}, "concatenated"),
        ({"parts": [{**RESNET_PART, "share": 0}]}, "concatenated"),
        ({"parts": [{**RESNET_PART, "share": float("nan")}]}, "concatenated"),
        ({"parts": [{**RESNET_PART, "colour": 1}]}, "concatenated"),
        ({"parts": [{"share": 1}]}, "concatenated"),
        (BOTH, "averaged"),
    ],
)
def test_what_cannot_stand_beside_it(config: dict[str, object], pooling: str) -> None:
    with pytest.raises(EncoderError, match=r"beside the descriptor: .*look at its config"):
        build("beside the descriptor", config, pooling)


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({**PERCEPTRON, "hidden": 0}, "normed"),
        ({**PERCEPTRON, "dimension": 0}, "normed"),
        ({**PERCEPTRON, "dropout": 1}, "normed"),
        ({**PERCEPTRON, "depth": 2}, "normed"),
        ({"hidden": 3}, "normed"),
        (PERCEPTRON, "mean"),
    ],
)
def test_perceptrons_that_cannot_be_built(config: dict[str, float], pooling: str) -> None:
    with pytest.raises(EncoderError, match=r"descriptor perceptron: .*look at its config"):
        build("descriptor perceptron", config, pooling)


@pytest.mark.parametrize("size", [32, 39])
def test_a_descriptor_needs_the_room(size: int) -> None:
    small = Preprocessing(size=size, resize="square", mean=(0.5,), std=(0.25,), descriptor=True)
    with pytest.raises(ValueError, match="a larger size"):
        small.must_be_possible()

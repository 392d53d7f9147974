"""The hash net of ATH against loops over its equations, and its codes against Hamming distance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.networks.hashing import HashHead, HashNet, SpatialAttention, hash_net, packed
from encoders.networks.pooled import PooledNetwork
from encoders.preprocessing import Preprocessing
from encoders.torch_encoder import load
from storage.vectors.metric import Metric

Array = NDArray[np.float64]


def network(pooling: str = "continuous", **other: Any) -> PooledNetwork:
    torch.manual_seed(5)
    config = {"in_channels": 1, "img_size": 10, "bits": 16, **other}
    made = hash_net(config, pooling)
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, 0.0, 1.0)  # so that few places end below 0
    with torch.no_grad():  # statistics as after training, not those of a new network
        made(torch.rand(8, config["in_channels"], config["img_size"], config["img_size"]))
    return made.eval()


def vectors_of(made: PooledNetwork, batch: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = made(batch).numpy()
    return found


def numbers(tensor: Tensor | None) -> Array:
    assert tensor is not None
    found: Array = tensor.detach().double().numpy()
    return found


def window(padded: Array, row: int, column: int, stride: int = 1) -> Array:
    top, left = row * stride, column * stride
    return padded[:, top : top + 3, left : left + 3]


def convolved(found: Array, conv: nn.Module, stride: int) -> Array:
    weights = numbers(conv.weight)  # type: ignore[arg-type]
    padded = np.pad(found, ((0, 0), (1, 1), (1, 1)))
    rows, columns = (-(-length // stride) for length in found.shape[1:])
    out = np.zeros((len(weights), rows, columns))
    for at in np.ndindex(*out.shape):
        out[at] = (weights[at[0]] * window(padded, at[1], at[2], stride)).sum()
    return out


def normed(found: Array, norm: nn.Module) -> Array:
    assert isinstance(norm, nn.BatchNorm2d)
    out = np.empty_like(found)
    for channel, plane in enumerate(found):
        mean, var = numbers(norm.running_mean)[channel], numbers(norm.running_var)[channel]
        weight, bias = numbers(norm.weight)[channel], numbers(norm.bias)[channel]
        out[channel] = (plane - mean) / np.sqrt(var + norm.eps) * weight + bias
    return out


def block(found: Array, residual: Any) -> Array:
    first = np.maximum(normed(convolved(found, residual.convs[0], 2), residual.convs[1]), 0)
    second = normed(convolved(first, residual.convs[3], 1), residual.convs[4])
    shortcut = normed(convolved(found, residual.shortcut[0], 2), residual.shortcut[1])
    return np.maximum(second + shortcut, 0)


def pooled(found: Array, of: Any, beyond: float) -> Array:
    padded = np.pad(found, ((0, 0), (1, 1), (1, 1)), constant_values=beyond)
    out = np.empty_like(found)
    for channel, row, column in np.ndindex(*found.shape):
        out[channel, row, column] = of(window(padded, row, column)[channel])
    return out


def attended(found: Array, attention: SpatialAttention) -> Array:
    both = np.stack([found.mean(0), found.max(0)])
    weighted: Array = found / (1 + np.exp(-convolved(both, attention.conv, 1)))
    return weighted


def looped(image: Array, body: Any) -> Array:
    found = pooled(block(image, body.wide), np.max, -np.inf)
    found = pooled(block(attended(found, body.attention), body.narrow), np.mean, 0)
    features = block(found, body.last).reshape(-1)
    codes: Array = numbers(body.hash.weight) @ features + numbers(body.hash.bias)
    return codes


@pytest.mark.parametrize("channels", [1, 3])
def test_codes_are_those_of_loops_over_pixels(channels: int) -> None:
    made = network(in_channels=channels, widths=[4, 3])
    images = torch.rand(2, channels, 10, 10)
    expected = np.stack([looped(numbers(image), made.body) for image in images])
    assert np.abs(expected[0] - expected[1]).max() > 0.1
    np.testing.assert_allclose(vectors_of(made, images), expected, rtol=1e-4, atol=1e-5)


def test_attention_is_the_sigmoid_of_a_convolution_of_mean_and_maximum() -> None:
    attention = SpatialAttention()
    # the mean counts once, the maximum twice, at the place itself alone
    with torch.no_grad():
        attention.conv.weight.zero_()
        attention.conv.weight[0, :, 1, 1] = torch.tensor([1.0, 2.0])
    found = torch.tensor([[[[1.0, -4.0]], [[3.0, 0.0]]]])  # mean 2 and -2, maximum 3 and 0
    expected = 1 / (1 + np.exp([-(2 + 2 * 3), -(-2 + 2 * 0)]))
    np.testing.assert_allclose(attention(found).detach()[0, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(("side", "features"), [(256, 1024), (224, 784), (100, 169), (1, 1)])
def test_features_before_the_hash_layer(side: int, features: int) -> None:
    made = network(img_size=side)
    assert made.body.features == features
    found = made.body(torch.rand(1, 1, side, side))
    assert found.features.shape == (1, features)
    assert found.codes.shape == (1, 16)


def test_cosine_of_signs_tells_the_hamming_distance_and_orders_alike() -> None:
    vectors = vectors_of(network("sign"), torch.rand(20, 1, 10, 10))
    assert set(np.unique(vectors)) == {-1.0, 1.0}
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    differing = np.array([[np.sum(one != other) for other in vectors] for one in vectors])
    assert len(np.unique(differing)) > 2
    np.testing.assert_allclose(units @ units.T, 1 - 2 * differing / 16, atol=1e-6)
    codes = packed(units)
    found = [Metric.HAMMING.distances(code, codes) for code in codes]
    np.testing.assert_array_equal(found, differing)
    cosine = [Metric.COSINE.distances(unit, units) for unit in units]
    np.testing.assert_allclose(cosine, 2 * differing / 16, atol=1e-6)


@pytest.mark.parametrize("bounded", [False, True])
def test_signs_are_those_of_the_continuous_codes(bounded: bool) -> None:
    images = torch.rand(8, 1, 10, 10)
    continuous = vectors_of(network(tanh=bounded), images)
    signs = vectors_of(network("sign", tanh=bounded), images)
    np.testing.assert_array_equal(signs, np.where(continuous >= 0, 1, -1))
    if bounded:
        free = vectors_of(network(), images)
        np.testing.assert_allclose(continuous, np.tanh(free), atol=1e-6)


def test_packed_bits_by_hand() -> None:
    vectors = np.array([[3.0, -1, -1, 0, -0.2, -1, -1, 0.1] + [-1.0] * 7 + [2]], np.float32)
    np.testing.assert_array_equal(packed(vectors), [[0b10010001, 0b00000001]])


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((1, 12)), "12 bits make no whole bytes"),
        (np.ones((1, 0)), "0 bits"),
        (np.full((1, 8), np.nan), "NaN"),
    ],
)
def test_what_cannot_be_packed(vectors: Array, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        packed(vectors)


def test_another_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="continuous or sign, not mean"):
        network("mean")


def test_the_head_says_logits_and_continuous_codes_whatever_the_pooling() -> None:
    made = network("sign")
    assert isinstance(made.body, HashNet)
    head = HashHead(made.body.features, 3)
    found = made.body(torch.rand(2, 1, 10, 10))
    outputs = head(found, made.pooled(found))
    logits = found.features @ head.out.weight.T + head.out.bias
    torch.testing.assert_close(outputs, torch.cat([logits, found.codes], dim=1))
    outputs[:, 3:].sum().backward()
    assert made.body.hash.bias.grad is not None
    assert (made.body.hash.bias.grad == 2).all()


def test_the_node_loads_it_and_its_vectors_are_the_networks_own(tmp_path: Path) -> None:
    made = network("sign", img_size=32)
    save_file(made.body.state_dict(), tmp_path / "weights.safetensors")
    declaration = Declaration(
        name="hash",
        summary="",
        network="encoders.networks.hashing:hash_net",
        config={"in_channels": 1, "img_size": 32, "bits": 16},
        source=OwnFile(),
        preprocessing=Preprocessing(
            size=32, resize="square", eight_bits=False, mean=(0.0,), std=(1.0,)
        ),
        pooling="sign",
        dimension=16,
        licence="",
    )
    encoder = load(
        declaration, EncoderOptions(weights=tmp_path / "weights.safetensors", device="cpu")
    )
    pixels = np.random.default_rng(2).random((32, 32), np.float32)
    image = GrayscaleImage(pixels)
    found = encoder.infer([encoder.prepare(image)])
    expected = vectors_of(made, torch.from_numpy(pixels)[None, None]) / 4
    np.testing.assert_allclose(found, expected, atol=1e-6)

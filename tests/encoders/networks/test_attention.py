"""Attention modules against loops written from the equations of Fu et al., and their wiring."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.networks.attention import (
    AttendedDenseNet,
    ChannelAttention,
    DualAttention,
    PositionAttention,
    densenet121_attention,
)
from encoders.networks.pooled import PooledNetwork

Doubles = NDArray[np.float64]
SMALL = {"in_channels": 1, "init_features": 8, "growth_rate": 4, "block_config": (1, 2, 2, 1)}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    made = np.random.default_rng(seed).normal(size=shape)
    return torch.from_numpy(made.astype(np.float32))


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def position_by_loops(module: PositionAttention, image: Doubles, scale: float) -> Doubles:
    """Equations 1 and 2, for one image of shape (channels, rows, columns)."""

    def at(conv: nn.Conv2d) -> Doubles:
        assert conv.bias is not None
        weight, bias = (some.detach().double().numpy() for some in (conv.weight, conv.bias))
        return np.asarray(weight[:, :, 0, 0] @ held + bias[:, None])

    held = image.reshape(len(image), -1)
    keys, queries, values = at(module.key), at(module.query), at(module.value)
    found, places = held.copy(), range(held.shape[1])
    for j in places:
        shares = softmax([float(keys[:, i] @ queries[:, j]) for i in places])
        for i in places:
            found[:, j] += scale * shares[i] * values[:, i]
    return found.reshape(image.shape)


def channel_by_loops(image: Doubles, scale: float) -> Doubles:
    """Equations 3 and 4."""
    held = image.reshape(len(image), -1)
    found = held.copy()
    for j in range(len(held)):
        shares = softmax([float(held[i] @ held[j]) for i in range(len(held))])
        for i in range(len(held)):
            found[j] += scale * shares[i] * held[i]
    return found.reshape(image.shape)


def scaled(module: nn.Module, scale: float) -> Any:
    for name, parameter in module.named_parameters():
        if name.endswith("scale"):
            nn.init.constant_(parameter, scale)
    return module


@pytest.mark.parametrize("channels", [3, 17])
def test_positions_attend_to_each_other(channels: int) -> None:
    torch.manual_seed(0)
    module, batch = scaled(PositionAttention(channels), 0.7), drawn(2, channels, 3, 4)
    found = module(batch).detach()
    for image, attended in zip(batch.double().numpy(), found, strict=True):
        expected = position_by_loops(module, image, 0.7)
        np.testing.assert_allclose(attended, expected, rtol=1e-4, atol=1e-5)


def test_channels_attend_to_each_other() -> None:
    module, batch = scaled(ChannelAttention(), -0.4), drawn(2, 5, 3, 4) / 2
    found = module(batch).detach()
    for image, attended in zip(batch.double().numpy(), found, strict=True):
        np.testing.assert_allclose(attended, channel_by_loops(image, -0.4), rtol=1e-4, atol=1e-5)


def test_both_are_summed() -> None:
    torch.manual_seed(0)
    module, batch = scaled(DualAttention(6), 0.3), drawn(1, 6, 4, 3) / 2
    image = batch[0].double().numpy()
    expected = position_by_loops(module.position, image, 0.3) + channel_by_loops(image, 0.3)
    np.testing.assert_allclose(module(batch)[0].detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", [PositionAttention(4), ChannelAttention()])
def test_a_scale_of_0_with_which_it_begins_is_identity(module: nn.Module) -> None:
    batch = drawn(2, 4, 5, 3)
    np.testing.assert_array_equal(module(batch).detach(), batch)


def test_products_beyond_16_bits_stay_finite_under_autocast() -> None:
    batch = torch.full((1, 2, 30, 30), 100.0)  # products of 9 million; fp16 ends at 65,504
    with torch.inference_mode(), torch.autocast("cpu", torch.float16):
        found = scaled(ChannelAttention(), 1)(batch)
    np.testing.assert_allclose(found.float(), 200.0)


def network(**changed: Any) -> PooledNetwork:
    torch.manual_seed(0)
    return densenet121_attention({**SMALL, **changed}, "mean of levels").eval()


def test_levels_have_the_papers_shapes_and_one_vector() -> None:
    made = densenet121_attention({"in_channels": 1}, "mean of levels").eval()
    with torch.inference_mode():
        levels = made.body(drawn(1, 1, 224, 224))
        vector = made(drawn(1, 1, 224, 224))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (512, 28, 28),
        (1024, 14, 14),
        (1024, 7, 7),
    ]
    assert vector.shape == (1, 2560)


def test_at_first_the_vector_is_twice_the_mean_of_what_the_next_layers_see() -> None:
    made, batch = network(), drawn(2, 1, 64, 64)
    plain = DenseNet121(2, out_channels=1, **SMALL).eval()  # type: ignore[arg-type]
    plain.features.load_state_dict(made.body.features.state_dict())  # type: ignore
    seen: list[Tensor] = []
    for name in ("transition2.norm", "transition3.norm", "norm5"):
        norm = plain.features.get_submodule(name)
        norm.register_forward_hook(lambda _module, _given, found: seen.append(found.clone()))
    with torch.inference_mode():
        plain(batch)
        expected = np.concatenate([2 * level.relu().mean((2, 3)) for level in seen], axis=1)
        np.testing.assert_allclose(made(batch), expected, rtol=1e-5, atol=1e-6)


def test_gradients_reach_every_parameter() -> None:
    made = scaled(network(), 0.5)
    vectors = made(drawn(2, 1, 64, 64))
    (vectors * drawn(*vectors.shape, seed=1)).sum().backward()
    assert not [
        name
        for name, parameter in made.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.any())
    ]


def test_at_a_scale_of_0_the_scales_learn_first() -> None:
    made = network()
    vectors = made(drawn(2, 1, 64, 64))
    (vectors * drawn(*vectors.shape, seed=1)).sum().backward()
    grads = {name: parameter.grad for name, parameter in made.named_parameters()}
    scales = [grad for name, grad in grads.items() if name.endswith("scale")]
    assert len(scales) == 6
    assert all(grad is not None and bool(grad.any()) for grad in scales)


def test_tensors_of_densenet_keep_their_names() -> None:
    plain = {f"features.{name}" for name in DenseNet121(2, 1, 1).features.state_dict()}
    made = densenet121_attention({"in_channels": 1}, "mean of levels").body.state_dict()
    assert plain <= set(made)
    assert {name.split(".")[0] for name in set(made) - plain} == {"attention"}


def test_too_few_dense_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 dense blocks; attention takes 3"):
        network(block_config=(1, 1))
    with pytest.raises(ValueError, match="InstanceNorm2d, no batch norm"):
        AttendedDenseNet(DenseNet121(2, 1, 1, norm="instance").features)

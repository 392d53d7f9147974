"""The pass through a whole DenseNet: conserved, and equal to one by gradients on a small one."""

from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets.densenet import DenseNet, DenseNet121
from torch import Tensor, nn
from torch.nn import functional

from encoders.networks.densenet_relevance import relevance_map, relevance_of
from encoders.runners import placed

TINY: dict[str, Any] = {"init_features": 4, "growth_rate": 2, "block_config": (2, 2)}
LOW, HIGH = -2.0, 2.0


def network(seed: int = 0, channels: int = 1, outputs: int = 1, **config: Any) -> DenseNet121:
    """Return one with random weights and norms as if it had learned, in eval mode."""
    torch.manual_seed(seed)
    model = DenseNet121(spatial_dims=2, in_channels=channels, out_channels=outputs, **config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            learned: Any = module
            nn.init.uniform_(learned.weight, 0.5, 1.5)
            nn.init.normal_(learned.bias, 0, 0.3)
            nn.init.normal_(learned.running_mean, 0, 0.5)
            nn.init.uniform_(learned.running_var, 0.5, 2)
    return model.eval()


def images(count: int, channels: int, rows: int, columns: int, seed: int = 1) -> Tensor:
    made = torch.Generator().manual_seed(seed)
    return LOW + (HIGH - LOW) * torch.rand(count, channels, rows, columns, generator=made)


def set_all(model: nn.Module, kind: type[nn.Module], value: float) -> None:
    for module in model.modules():
        if isinstance(module, kind):
            nn.init.constant_(module.weight, value)  # type: ignore[arg-type] # of convolutions


def by_gradients(model: DenseNet, image: Tensor, low: float, high: float) -> Tensor:
    """Input times gradient of a network that has the model's values but the rules' slopes.

    Each step is written as something linear that carries the relevance, times a number that is
    held fixed: the gradient of that product, times the input, is the rule's share.
    """

    def as_valued(linear: Tensor, value: Tensor) -> Tensor:
        return linear * (value / linear).detach()

    def z_plus(conv: nn.Module, x: Tensor) -> Tensor:
        kwargs = {"stride": conv.stride, "padding": conv.padding}
        reached = functional.conv2d(x, conv.weight.clamp(min=0), **kwargs)  # type: ignore
        return as_valued(reached, conv(x))

    def normed(norm: nn.Module, x: Tensor) -> Tensor:
        return as_valued(x, norm(x).relu())

    parts: Any = model.features
    x, lowest, highest = (
        some.clone().requires_grad_() for some in (image, image * 0 + low, image * 0 + high)
    )
    weight = parts.conv0.weight
    first = (
        functional.conv2d(x, weight, stride=2, padding=3)
        - functional.conv2d(lowest, weight.clamp(min=0), stride=2, padding=3)
        - functional.conv2d(highest, weight.clamp(max=0), stride=2, padding=3)
    )
    found = parts.pool0(normed(parts.norm0, as_valued(first, parts.conv0(image))))
    for name, part in parts.named_children():
        if name.startswith("denseblock"):
            for layer in part:
                at = layer.layers
                inner = z_plus(at.conv1, normed(at.norm1, found))
                found = torch.cat([found, z_plus(at.conv2, normed(at.norm2, inner))], 1)
        if name.startswith("transition"):
            found = z_plus(part.conv, part.pool(normed(part.norm, found)))
    mean = normed(parts.norm5, found).mean(dim=(2, 3))
    out: Any = model.class_layers.get_submodule("out")
    answer = as_valued(mean @ out.weight.clamp(min=0).T, torch.ones(len(image), 1))
    answer.sum().backward()  # type: ignore[no-untyped-call]
    slopes = [(some, some.grad) for some in (x, lowest, highest)]
    return sum((some * slope for some, slope in slopes if slope is not None), torch.zeros(1))


def test_the_pass_is_input_times_gradient_of_the_rules() -> None:
    model = network(**TINY).double()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):  # of no output may all that reaches it be negative
            module.weight.data[:, 0].abs_()
        if isinstance(module, nn.BatchNorm2d):
            module.bias.data += 3  # nor may all that a ReLU lets through be 0
    image = images(2, 1, 32, 36).double()
    expected = by_gradients(model, image, LOW, HIGH)
    with torch.inference_mode():
        found = relevance_of(model, image, LOW, HIGH)
    np.testing.assert_allclose(found, expected.detach(), rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(found.sum((1, 2, 3)), [1, 1])


@pytest.mark.parametrize(
    ("channels", "rows", "columns"), [(1, 64, 64), (3, 64, 64), (1, 67, 93), (1, 32, 33)]
)
def test_densenet121_conserves_relevance(channels: int, rows: int, columns: int) -> None:
    model = network(3, channels)
    with torch.inference_mode():
        found = relevance_of(model, images(2, channels, rows, columns), LOW, HIGH)
    assert found.shape == (2, channels, rows, columns)
    assert bool((found >= 0).all())
    np.testing.assert_allclose(found.sum((1, 2, 3)), [1, 1], rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(nn.Linear, -1.0), (nn.Linear, 0.0), (nn.Conv2d, -1.0), (nn.Conv2d, 0.0), (nn.BatchNorm2d, 0)],
)
def test_relevance_is_conserved_where_nothing_speaks_for_it(
    kind: type[nn.Module], value: float
) -> None:
    model = network(**TINY)
    set_all(model, kind, value)
    found = relevance_of(model, images(1, 1, 33, 32), LOW, HIGH)
    assert float(found.sum()) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("level", [LOW, 0.0, HIGH])
def test_an_even_image_has_a_map(level: float) -> None:
    found = relevance_map(network(), torch.full((1, 1, 64, 64), level), LOW, HIGH)
    assert bool(torch.isfinite(found).all())
    assert float(found.max()) == pytest.approx(1)


def test_maps_are_relative_to_their_greatest_value_and_of_each_image_alone() -> None:
    model, batch = network(**TINY), images(3, 1, 48, 40)
    found = relevance_map(model, batch, LOW, HIGH)
    assert found.shape == (3, 1, 48, 40)
    np.testing.assert_allclose(found.amax((1, 2, 3)), [1, 1, 1], rtol=1e-6)
    for alone, together in zip(batch, found, strict=True):
        again = relevance_map(model, alone[None], LOW, HIGH)[0]
        np.testing.assert_allclose(again, together, atol=1e-5)


def test_the_size_of_the_logit_does_not_matter() -> None:
    model, batch = network(**TINY), images(1, 1, 48, 40)
    before = relevance_map(model, batch, LOW, HIGH)
    out: Any = model.class_layers.get_submodule("out")
    out.weight.data *= 7
    out.bias.data -= 100
    np.testing.assert_allclose(relevance_map(model, batch, LOW, HIGH), before, atol=1e-5)


def test_maps_sum_over_the_channels() -> None:
    model, batch = network(channels=3, **TINY), images(1, 3, 48, 40)
    low, high = torch.full((3, 1, 1), LOW), torch.full((3, 1, 1), HIGH)
    each = relevance_of(model, batch, low, high).numpy()
    found = relevance_map(model, batch, low, high)
    summed = each[:, 0] + each[:, 1] + each[:, 2]
    np.testing.assert_allclose(found[:, 0], summed / summed.max(), atol=1e-6)


def test_each_output_has_relevance_of_its_own() -> None:
    model, batch = network(outputs=2, **TINY), images(1, 1, 48, 40)
    alone = network(outputs=1, **TINY)
    alone.features.load_state_dict(model.features.state_dict())
    out, one = (some.class_layers.get_submodule("out") for some in (model, alone))
    for target in (0, 1):
        one.weight.data = out.weight.data[target : target + 1]  # type: ignore
        expected = relevance_of(alone, batch, LOW, HIGH)
        np.testing.assert_array_equal(relevance_of(model, batch, LOW, HIGH, target), expected)


def test_weights_in_bf16_under_autocast_still_conserve() -> None:
    batch = images(1, 1, 64, 64)
    expected = relevance_map(network(), batch, LOW, HIGH)
    model: Any = placed(network(), "bf16", torch.device("cpu"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = relevance_of(model, batch, LOW, HIGH)
        shown = relevance_map(model, batch, LOW, HIGH)
    assert found.dtype == torch.float32
    assert float(found.sum()) == pytest.approx(1, rel=1e-4)
    assert float(functional.cosine_similarity(shown.flatten(), expected.flatten(), 0)) > 0.99


def test_no_gradient_is_kept() -> None:
    batch = images(1, 1, 48, 40).requires_grad_()
    assert not relevance_of(network(**TINY), batch, LOW, HIGH).requires_grad


@pytest.mark.parametrize(
    ("model", "batch", "target", "words"),
    [
        (network(**TINY).train(), images(1, 1, 32, 32), 0, "call eval"),
        (network(act="prelu", **TINY), images(1, 1, 32, 32), 0, "PReLU, for which there is no"),
        (network(norm="instance", **TINY), images(1, 1, 32, 32), 0, "InstanceNorm2d, for which"),
        (network(**TINY), images(1, 1, 32, 32), 1, "no output 1: the network has 1"),
        (network(**TINY), images(1, 1, 32, 32), -1, "no output -1"),
        (network(**TINY), images(1, 3, 32, 32), 0, r"takes \(images, 1, rows, columns\)"),
        (network(**TINY), images(1, 1, 32, 32)[0], 0, r"shape \(1, 32, 32\)"),
        (network(**TINY), images(1, 1, 32, 32) * 2, 0, r"beyond the bounds \[-2.0\] and \[2.0\]"),
        (network(**TINY), images(1, 1, 32, 32) * np.nan, 0, "values from nan to nan"),
    ],
)
def test_what_has_no_map_is_refused(
    model: DenseNet121, batch: Tensor, target: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        relevance_map(model, batch, LOW, HIGH, target)

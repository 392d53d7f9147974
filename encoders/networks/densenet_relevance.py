"""Which pixels a DenseNet's answer rests on: deep Taylor decomposition of MONAI's DenseNet.

Montavon et al., Pattern Recognition 65 (2017), 211-222; as an input of another network, Silva et
al., Sci Rep 12, 20732 (2022). ``encoders.networks.relevance`` has the rules.

DenseNet needs a word on its batch norms. Rules for convolutional networks expect a norm after its
convolution, to be merged with it; here norm and ReLU come before (BN, ReLU, convolution), and a
feature goes through another norm in each later layer that uses it, so there is nothing to merge
it with. But in eval mode norm and ReLU are together a function of one variable,
f(x) = max(0, g (x - r)), with r where the norm's answer is 0. Its Taylor expansion at the root r is
exact wherever f is not 0: all of f(x) belongs to its one input. So relevance goes through norm and
ReLU as it is, and it arrives at a convolution's output. What fed that convolution is behind a ReLU,
thus nowhere negative, as the z+ rule asks.

A feature that several layers use gets the sum of what they give back. A transition's average
pooling stands after its convolution without bias; both are linear and change places freely, so the
pooling is decomposed before the convolution, where nothing is negative.

The authors of the retrieval network used iNNvestigate, whose ``deep_taylor`` gives a convolution
without a ReLU of its own, which in DenseNet are all, the w^2 rule: shares that depend on no
activation. Here they depend on what the convolution saw, as the paper of 2017 has it for hidden
layers. Maps of the two differ.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from monai.networks.nets.densenet import DenseNet
from torch import Tensor, nn
from torch.nn import functional

from encoders.networks import relevance as rules

Bound = float | Tensor
"""Of the network's input: a number, or shape (channels, 1, 1)."""
Back = Callable[[Tensor], Tensor]
"""From the relevance of what a part answered to that of what it was fed with."""

Kind = TypeVar("Kind", bound=nn.Module)

_UNDERSTOOD = (
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.Conv2d,
    nn.Dropout2d,
    nn.Flatten,
    nn.Linear,
    nn.MaxPool2d,
    nn.ReLU,
)
_TOLERANCE = 1e-3  # of the range: what rounding may add to a preprocessing's black and white


def relevance_map(
    model: DenseNet, batch: Tensor, low: Bound, high: Bound, target: int = 0
) -> Tensor:
    """How much each pixel speaks for an output, beside the image's most relevant pixel.

    Summed over the channels and divided by the greatest magnitude. Also an image that the network
    says no to has such a map: it shows what would speak for yes.

    Args:
        model: in eval mode, with its classifier.
        batch: as the network takes it, floating type, shape (images, channels, rows, columns).
        low: black after the preprocessing: least possible input.
        high: white after the preprocessing: greatest possible input.
        target: which of the network's outputs.

    Returns:
        Values in [0, 1], shape (images, 1, rows, columns).

    Raises:
        ValueError: a value is beyond the bounds or not finite; and as ``relevance_of``.
    """
    slack = _TOLERANCE * (high - low)
    if not bool(((batch >= low - slack) & (batch <= high + slack)).all()):
        raise ValueError(
            f"the batch has values from {float(batch.min()):g} to {float(batch.max()):g}, beyond "
            f"the bounds {_numbers(low)} and {_numbers(high)}: they must be black and white as the "
            "network's preprocessing has them"
        )
    return relative(relevance_of(model, batch, low, high, target))


def relative(relevance: Tensor) -> Tensor:
    """Summed over channels, divided by the greatest magnitude: shape (images, 1, rows, columns).

    A map that is 0 everywhere stays so.
    """
    summed = relevance.sum(dim=1, keepdim=True)
    greatest = summed.abs().amax(dim=(2, 3), keepdim=True)
    return summed / greatest.clamp(min=rules.NOTHING)


def relevance_of(
    model: DenseNet, batch: Tensor, low: Bound, high: Bound, target: int = 0
) -> Tensor:
    """How much of one output's relevance each value of the input has; they sum to 1.

    What is decomposed is 1, not the logit: a greater one would make all values greater alike, and
    maps are compared relative to their greatest value.

    In the type of the batch, whatever the type of the weights and outside autocast: quotients of
    small numbers are no work for 16 bits.

    Args:
        model: in eval mode, with its classifier; batch norm and ReLU throughout.
        batch: shape (images, channels, rows, columns); beyond a bound it counts as the bound.
        low: least possible input.
        high: greatest possible input.
        target: which of the network's outputs.

    Returns:
        Shape of the batch, nowhere negative, without a gradient.

    Raises:
        ValueError: the model is in training mode, has a layer that there is no rule for or no such
            output, or the batch is not what it takes.
    """
    _check(model, batch, target)
    with torch.no_grad(), torch.autocast(batch.device.type, enabled=False):
        found, back = _stem(model.features, batch, low, high)
        backs = [back]
        for name, part in model.features.named_children():
            step = _STEPS.get(name.rstrip("0123456789"))
            if step is not None:
                found, back = step(part, found)
                backs.append(back)
        relevance = _classifier(model, found, target)
        while backs:  # what a part had kept is given up with it
            relevance = backs.pop()(relevance)
    return relevance


def _stem(features: nn.Module, batch: Tensor, low: Bound, high: Bound) -> tuple[Tensor, Back]:
    """First convolution, norm, ReLU and max pooling."""
    conv, pool = _part(features, "conv0", nn.Conv2d), _part(features, "pool0", nn.MaxPool2d)
    before = _normed(features, "norm0", _convolved(conv, batch))
    weight, stride, padding = conv.weight.to(batch.dtype), _side(conv.stride), _side(conv.padding)

    def back(relevance: Tensor) -> Tensor:
        size, apart, beyond = _side(pool.kernel_size), _side(pool.stride), _side(pool.padding)
        inner = rules.max_pool(before, relevance, size, apart, beyond)
        return rules.z_bounded_conv(
            batch, weight, inner, low=low, high=high, stride=stride, padding=padding
        )

    pooled: Tensor = pool(before)
    return pooled, back


def _block(block: nn.Module, found: Tensor) -> tuple[Tensor, Back]:
    """A dense block: each layer adds its features behind those that it was fed with.

    Kept for the way back are the block's answer, whose first channels are what each layer was fed
    with, and what stands between a layer's two convolutions.
    """
    layers = [_Layer(layer.get_submodule("layers")) for layer in block.children()]
    between: list[Tensor] = []
    for layer in layers:
        between.append(_normed(layer.parts, "norm2", _convolved(layer.first, layer.fed(found))))
        found = torch.cat([found, _convolved(layer.second, between[-1])], dim=1)

    def back(relevance: Tensor) -> Tensor:
        for layer in reversed(layers):
            known = layer.first.in_channels
            inner = _z_plus(layer.second, between.pop(), relevance[:, known:])
            earlier = _z_plus(layer.first, layer.fed(found[:, :known]), inner)
            relevance = relevance[:, :known] + earlier
        return relevance

    return found, back


class _Layer:
    """A dense block's layer: norm, ReLU and convolution, twice."""

    def __init__(self, parts: nn.Module) -> None:
        self.parts = parts
        self.first = _part(parts, "conv1", nn.Conv2d)
        self.second = _part(parts, "conv2", nn.Conv2d)

    def fed(self, found: Tensor) -> Tensor:
        """What the first convolution gets."""
        return _normed(self.parts, "norm1", found)


def _transition(transition: nn.Module, found: Tensor) -> tuple[Tensor, Back]:
    """Norm, ReLU, and average pooling before the convolution rather than behind it."""
    conv, pool = _part(transition, "conv", nn.Conv2d), _part(transition, "pool", nn.AvgPool2d)
    before = _normed(transition, "norm", found)
    pooled: Tensor = pool(before)

    def back(relevance: Tensor) -> Tensor:
        inner = _z_plus(conv, pooled, relevance)
        return rules.average_pool(before, inner, _side(pool.kernel_size))

    return _convolved(conv, pooled), back


_STEPS: Mapping[str, Callable[[nn.Module, Tensor], tuple[Tensor, Back]]] = {
    "denseblock": _block,
    "transition": _transition,
}


def _classifier(model: DenseNet, found: Tensor, target: int) -> Tensor:
    """Relevance of the last block's answer, from a relevance of 1 of the target."""
    before = _normed(model.features, "norm5", found)
    out = _part(model.class_layers, "out", nn.Linear)
    weight = out.weight[target : target + 1].to(found.dtype)
    one = torch.ones_like(before[:, :1, 0, 0])
    pooled = rules.z_plus_linear(before.mean(dim=(2, 3)), weight, one)
    return rules.global_average(before, pooled)


def _normed(within: nn.Module, norm: str, found: Tensor) -> Tensor:
    return functional.relu(within.get_submodule(norm)(found))


def _convolved(conv: nn.Conv2d, found: Tensor) -> Tensor:
    # the weights of an encoder in bf16 are kept in it
    weight = conv.weight.to(found.dtype)
    return functional.conv2d(found, weight, stride=conv.stride, padding=conv.padding)


def _z_plus(conv: nn.Conv2d, inputs: Tensor, relevance: Tensor) -> Tensor:
    weight = conv.weight.to(inputs.dtype)
    stride, padding = _side(conv.stride), _side(conv.padding)
    return rules.z_plus_conv(inputs, weight, relevance, stride, padding)


def _part(within: nn.Module, name: str, kind: type[Kind]) -> Kind:
    found = within.get_submodule(name)
    if not isinstance(found, kind):
        raise ValueError(f"{name} is a {type(found).__name__}, not a {kind.__name__}")
    return found


def _side(size: int | str | tuple[int, ...]) -> int:
    """Of a square, however it is written; none of DenseNet's is another shape."""
    return int(size[0] if isinstance(size, tuple) else size)


def _check(model: DenseNet, batch: Tensor, target: int) -> None:
    for name, module in model.named_modules():
        if module.training:
            raise ValueError("the network is in training mode: call eval() before its relevance")
        if not list(module.children()) and not isinstance(module, _UNDERSTOOD):
            raise ValueError(
                f"{name} is a {type(module).__name__}, for which there is no rule: relevance is "
                "of a two-dimensional DenseNet with batch norm and ReLU"
            )
    outputs = _part(model.class_layers, "out", nn.Linear).out_features
    if not 0 <= target < outputs:
        raise ValueError(f"there is no output {target}: the network has {outputs}, from 0 on")
    channels = _part(model.features, "conv0", nn.Conv2d).in_channels
    if batch.ndim != 4 or batch.shape[1] != channels:
        raise ValueError(
            f"the batch has shape {tuple(batch.shape)}; the network takes (images, {channels}, "
            "rows, columns)"
        )


def _numbers(bound: Bound) -> list[float]:
    return [round(value, 4) for value in torch.as_tensor(bound).flatten().tolist()]

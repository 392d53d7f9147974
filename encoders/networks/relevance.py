"""Rules by which relevance goes back through one layer: deep Taylor decomposition.

Montavon et al., Explaining nonlinear classification decisions with deep Taylor decomposition,
Pattern Recognition 65 (2017), 211-222. Each rule takes what a layer was fed with and the relevance
of what it answered, and gives the relevance of what it was fed with. No gradient is taken, so the
rules run where torch keeps none (``torch.inference_mode``).

Relevance is conserved: what a rule gives sums to what it got. The paper's rules divide by what
reaches an output; where nothing does, they are 0/0. Relevance that arrives there all the same is
spread evenly over the output's receptive field, inside the image: a padded border has no pixels to
take it. Biases take no relevance, as in the paper.

All tensors are of one floating type: images first, then channels, rows, columns.
"""

import torch
from torch import Tensor
from torch.nn import functional

NOTHING = 1e-30
"""What reaches an output and is no more counts as nothing: a quotient by less could overflow."""


def z_plus_conv(
    inputs: Tensor, weight: Tensor, relevance: Tensor, stride: int = 1, padding: int = 0
) -> Tensor:
    """The z+ rule for a convolution of inputs that are nowhere below 0, as after ReLU.

    Input i gets from output j the share x_i w+_ij of the sum of such products over i.

    Args:
        inputs: shape (images, channels, rows, columns), 0 or greater.
        weight: shape (outputs, channels, kernel, kernel).
        relevance: of the outputs, shape (images, outputs, rows, columns) of the convolution.
        stride: in both directions.
        padding: with 0 in both directions, less than the kernel.

    Returns:
        Relevance of the inputs, in their shape.
    """
    positive = weight.clamp(min=0)
    reached = functional.conv2d(inputs, positive, stride=stride, padding=padding)
    per_unit, stranded = _parted(relevance, reached)
    shared = inputs * _back(per_unit, positive, inputs, stride, padding)
    return shared + _evenly(stranded, weight, inputs, stride, padding)


def z_bounded_conv(
    inputs: Tensor,
    weight: Tensor,
    relevance: Tensor,
    *,
    low: Tensor | float,
    high: Tensor | float,
    stride: int = 1,
    padding: int = 0,
) -> Tensor:
    """The z^B rule for a convolution of an image whose values lie between two bounds.

    Input i gets from output j the share x_i w_ij - l_i w+_ij - h_i w-_ij of their sum over i. That
    is (x_i - l_i) w+_ij + (h_i - x_i) (-w-_ij): the z+ rule for twice the channels, which is how it
    is computed here, for nothing cancels out in it. A padded pixel has no range and takes no
    relevance.

    Args:
        inputs: shape (images, channels, rows, columns); beyond a bound they count as the bound.
        weight: shape (outputs, channels, kernel, kernel).
        relevance: of the outputs, shape (images, outputs, rows, columns) of the convolution.
        low: least possible input, a number or shape (channels, 1, 1).
        high: greatest possible input, a number or shape (channels, 1, 1).
        stride: in both directions.
        padding: with 0 in both directions, less than the kernel.

    Returns:
        Relevance of the inputs, in their shape.
    """
    above, below = (inputs - low).clamp(min=0), (high - inputs).clamp(min=0)
    both = torch.cat([above, below], dim=1)
    found = z_plus_conv(both, torch.cat([weight, -weight], dim=1), relevance, stride, padding)
    channels = inputs.shape[1]
    return found[:, :channels] + found[:, channels:]


def z_plus_linear(inputs: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
    """The z+ rule for a linear layer, see ``z_plus_conv``.

    Args:
        inputs: shape (images, features), 0 or greater.
        weight: shape (outputs, features).
        relevance: of the outputs, shape (images, outputs).

    Returns:
        Relevance of the inputs, shape (images, features).
    """
    pixel = z_plus_conv(
        inputs[:, :, None, None], weight[:, :, None, None], relevance[:, :, None, None]
    )
    return pixel[:, :, 0, 0]


def average_pool(inputs: Tensor, relevance: Tensor, size: int) -> Tensor:
    """Average pooling over squares side by side: in proportion to the inputs.

    That is the z+ rule with weights that are all the same.

    Args:
        inputs: shape (images, channels, rows, columns), 0 or greater.
        relevance: of the averages, shape (images, channels, rows // size, columns // size).
        size: side of a square, pixels. Rows and columns that fill no square take no relevance.

    Returns:
        Relevance of the inputs, in their shape.
    """
    averages = functional.avg_pool2d(inputs, size)
    per_unit, stranded = (some / size**2 for some in _parted(relevance, averages))
    rows, columns = (
        now - size * pooled
        for now, pooled in zip(inputs.shape[2:], averages.shape[2:], strict=True)
    )

    def spread(some: Tensor) -> Tensor:
        large = some.repeat_interleave(size, dim=2).repeat_interleave(size, dim=3)
        return functional.pad(large, (0, columns, 0, rows))

    return inputs * spread(per_unit) + spread(stranded)


def global_average(inputs: Tensor, relevance: Tensor) -> Tensor:
    """The mean over all positions: in proportion to the inputs.

    Args:
        inputs: shape (images, channels, rows, columns), 0 or greater.
        relevance: of the means, shape (images, channels).

    Returns:
        Relevance of the inputs, in their shape.
    """
    mean = inputs.mean(dim=(2, 3))
    positions = inputs.shape[2] * inputs.shape[3]
    per_unit, stranded = (some / positions for some in _parted(relevance, mean))
    return inputs * per_unit[:, :, None, None] + stranded[:, :, None, None]


def max_pool(inputs: Tensor, relevance: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Max pooling: all of it to the greatest input, the first of several as great.

    Args:
        inputs: shape (images, channels, rows, columns).
        relevance: of the maxima, shape (images, channels, rows, columns) of the pooling.
        size: side of the window, pixels.
        stride: from window to window; they may overlap.
        padding: in both directions, at most half the window; it never wins.

    Returns:
        Relevance of the inputs, in their shape.
    """
    _, winners = functional.max_pool2d(
        inputs, size, stride=stride, padding=padding, return_indices=True
    )
    flat = torch.zeros_like(inputs.flatten(2))
    flat = flat.scatter_add(2, winners.flatten(2), relevance.flatten(2))
    return flat.view(inputs.shape)


def _parted(relevance: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
    """Relevance by what reached an output, and the relevance of outputs that nothing reached."""
    alive = reached > NOTHING
    none = torch.zeros_like(relevance)
    per_unit = torch.where(alive, relevance / reached.clamp(min=NOTHING), none)
    return per_unit, torch.where(alive, none, relevance)


def _back(outputs: Tensor, weight: Tensor, inputs: Tensor, stride: int, padding: int) -> Tensor:
    """The transposed convolution, to the rows and columns of the inputs.

    Where the stride leaves over rows or columns that no window reaches, they get 0.
    """
    kernel = weight.shape[2]
    over = tuple((side + 2 * padding - kernel) % stride for side in inputs.shape[2:])
    return functional.conv_transpose2d(
        outputs, weight, stride=stride, padding=padding, output_padding=over
    )


def _evenly(stranded: Tensor, weight: Tensor, inputs: Tensor, stride: int, padding: int) -> Tensor:
    """Each output's relevance over what its window holds of the image, all channels alike.

    Shape (images, 1, rows, columns), for each of the channels.
    """
    window = torch.ones_like(weight[:1, :1])
    inside = functional.conv2d(
        torch.ones_like(inputs[:1, :1]), window, stride=stride, padding=padding
    )
    share = stranded.sum(dim=1, keepdim=True) / (inside * inputs.shape[1])
    return _back(share, window, inputs, stride, padding)

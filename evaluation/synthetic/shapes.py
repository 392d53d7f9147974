"""Drawing with arrays: soft edges, ellipses, textures, all in centimetres.

Single-precision arrays here see only additions, products, quotients, square roots and table
look-ups, which IEEE 754 fixes to the last bit; exponentials and sines are left to double
precision. That is what makes an image the same on every machine once rounded to integers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Grid:
    """Where the samples of a picture lie, in cm.

    Attributes:
        x: float32, shape (1, columns); 0 on the midline, positive towards the patient's left.
        y: float32, shape (rows, 1); 0 at the top of the lungs, positive towards the feet.
    """

    x: Floats
    y: Floats

    @property
    def pitch(self) -> float:
        """Distance between neighbouring samples, in cm."""
        return float(self.x[0, 1] - self.x[0, 0])

    def rows(self, top: float, bottom: float) -> slice:
        """The rows from ``top`` to ``bottom`` (cm), for drawing in a part of the picture."""
        first, last = np.searchsorted(self.y[:, 0], [top, bottom])
        return slice(int(first), int(last))

    def columns(self, left: float, right: float) -> slice:
        """The columns from ``left`` to ``right`` (cm)."""
        first, last = np.searchsorted(self.x[0], [left, right])
        return slice(int(first), int(last))


def centred_grid(width: float, top: float, rows: int, columns: int) -> Grid:
    """A grid of square samples, ``width`` cm wide about the midline, from ``top`` downwards."""
    pitch = width / columns
    x = (np.arange(columns) - (columns - 1) / 2) * pitch
    y = top + np.arange(rows) * pitch
    return Grid(x[None].astype(np.float32), y[:, None].astype(np.float32))


def step(distance: Floats, softness: float) -> Floats:
    """0 where ``distance`` (cm) is negative, 1 beyond ``softness``, a smooth ramp between."""
    t = np.asarray(distance / softness)
    t += 0.5
    np.clip(t, 0.0, 1.0, out=t)
    # t * t * (3 - 2 t), in place: this is the function that pictures are made of.
    smooth = np.asarray(t * t)
    t *= -2.0
    t += 3.0
    smooth *= t
    return smooth


def bump(distance: Floats, width: float) -> Floats:
    """A bell of height 1 at 0 that is gone at ``width``: (1 - (d/w)^2)^2, after Tukey."""
    t = np.asarray(distance / width)
    t *= t
    np.subtract(1.0, t, out=t)
    np.clip(t, 0.0, 1.0, out=t)
    t *= t
    return t


def dome(radius: Floats) -> Floats:
    """Thickness of a unit ball over a normalised radius: sqrt(1 - r^2), 0 outside."""
    return np.asarray(np.sqrt(np.clip(1.0 - radius * radius, 0.0, 1.0)))


def barrel(fraction: Floats) -> Floats:
    """Depth of a body with flat front and round sides, over |x| / half width: sqrt(1 - f^4)."""
    squared = fraction * fraction
    return np.asarray(np.sqrt(np.clip(1.0 - squared * squared, 0.0, 1.0)))


def texture(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Floats:
    """Smooth noise of about unit variance, float32, with ``cells`` lumps across the picture."""
    knots = rng.standard_normal((cells + 3, cells + 3))
    # Bilinear between knots, then the seams rounded off: cheap, and no spline ringing.
    rows = np.linspace(0, cells + 1, shape[0])
    columns = np.linspace(0, cells + 1, shape[1])
    return np.asarray(
        _interpolate(_interpolate(knots, rows).T, columns).T.astype(np.float32, order="C")
    )


def _interpolate(knots: Floats, at: Floats) -> Floats:
    """Rows of ``knots`` blended at fractional positions, with smooth weights."""
    low = np.floor(at).astype(np.intp)
    t = (at - low)[:, None]
    weight = t * t * (3.0 - 2.0 * t)
    return np.asarray(knots[low] * (1.0 - weight) + knots[low + 1] * weight)


def grain(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Unit-variance noise, float32, slightly correlated between neighbours as detectors show."""
    white = rng.standard_normal(shape, dtype=np.float32)
    noise = np.float32(0.8) * white
    noise[..., 1:] += np.float32(0.6) * white[..., :-1]
    return np.asarray(noise)


def placed(
    picture: Floats, shape: tuple[int, int], angle: float, shift: tuple[float, float]
) -> Floats:
    """The picture resampled to ``shape``, turned by ``angle`` (radians), moved by ``shift``.

    ``shift`` counts source samples (rows, columns). Linear interpolation; beyond the border the
    edge values go on.
    """
    scale = picture.shape[1] / shape[1]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    middle = (np.array(picture.shape) - 1) / 2 + np.array(shift)
    offset = middle - turn @ ((np.array(shape) - 1) / 2)
    return np.asarray(
        ndimage.affine_transform(picture, turn, offset, output_shape=shape, order=1, mode="nearest")
    )

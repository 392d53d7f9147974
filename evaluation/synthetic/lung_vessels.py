"""The branching shadows of the lung vessels, drawn as blurred points."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluation.synthetic.anatomy import Anatomy
from evaluation.synthetic.shapes import Floats, Grid, bump

_POINTS = 48


def branches(
    rng: np.random.Generator, origin: NDArray[np.float64], count: int, reach: float
) -> NDArray[np.float64]:
    """Paths of a vessel tree from ``origin`` (y, x), shape (paths, points, 3): y, x, calibre.

    Each of ``count`` stems fans outward to positive x and sheds four thinner branches.
    """
    angles = np.linspace(-1.25, 1.45, count) + rng.normal(0, 0.12, count)
    stems = _paths(rng, np.tile(origin, (count, 1)), angles, reach, 1.0)
    twigs = [stems]
    for at in (8, 16, 24, 32):
        turn = angles + rng.choice([-1.0, 1.0], count) * rng.uniform(0.3, 0.75, count)
        starts = stems[:, at, :2]
        twigs.append(_paths(rng, starts, turn, reach * 0.55, 0.75 * stems[0, at, 2]))
    return np.concatenate(twigs)


def _paths(
    rng: np.random.Generator,
    starts: NDArray[np.float64],
    angles: NDArray[np.float64],
    reach: float,
    calibre: float,
) -> NDArray[np.float64]:
    """Gently bent paths from ``starts`` (paths, 2); the calibre falls to a tenth at the end."""
    along = np.linspace(0.0, 1.0, _POINTS)[None]
    length = reach * rng.uniform(0.7, 1.15, angles.size)[:, None]
    bend = rng.normal(0.0, 0.3, angles.size)[:, None]
    heading = angles[:, None] + bend * along
    y = starts[:, :1] + length * along * np.sin(heading)
    x = starts[:, 1:] + length * along * np.cos(heading)
    width = np.broadcast_to(calibre * (1.0 - 0.9 * along), y.shape)
    return np.stack([y, x, width], axis=-1)


def frontal_vessels(chest: Anatomy, grid: Grid, rng: np.random.Generator) -> Floats:
    """Attenuation of vessels and hila in a frontal radiograph, cm of water, float32."""
    points = []
    for side in (-1.0, 1.0):
        origin = np.array([(0.45 if side < 0 else 0.42) * chest.lung_height, 2.6])
        tree = branches(rng, origin, 9, 0.62 * chest.lung_height).reshape(-1, 3)
        points.append(tree * [1.0, side, 1.0])
    every = np.concatenate(points)
    thick = every[:, 2] > 0.5
    broad = 2.4 * _splat(grid, every[thick], 0.30)
    fine = 1.9 * _splat(grid, every[~thick], 0.15)
    hila = sum(
        bump(np.sqrt((grid.x - side * 3.1) ** 2 + ((grid.y - level) / 1.7) ** 2), 2.3)
        for side, level in ((-1.0, 0.47 * chest.lung_height), (1.0, 0.44 * chest.lung_height))
    )
    # Where all stems meet the sum would glare; real ones lie behind each other, too.
    tree = 5.0 * (broad + fine) / (3.8 + broad + fine)
    return np.asarray((tree + 2.6 * hila).astype(np.float32))


def _splat(grid: Grid, points: NDArray[np.float64], blur: float) -> NDArray[np.float64]:
    """Points (n, 3) of weight calibre^2 laid on the grid and blurred by ``blur`` cm."""
    rows, columns = grid.y.shape[0], grid.x.shape[1]
    row = np.floor((points[:, 0] - float(grid.y[0, 0])) / grid.pitch).astype(np.intp)
    column = np.floor((points[:, 1] - float(grid.x[0, 0])) / grid.pitch).astype(np.intp)
    seen = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    index = row[seen] * columns + column[seen]
    weight = points[seen, 2] ** 2 * 0.16 / (grid.pitch * grid.pitch)
    flat = np.bincount(index, weight, minlength=rows * columns)
    return np.asarray(
        ndimage.gaussian_filter(flat.reshape(rows, columns), blur / grid.pitch, truncate=2.5)
    )

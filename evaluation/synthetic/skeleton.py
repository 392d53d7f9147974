"""Bones of a frontal chest radiograph, as centimetres of water-equivalent attenuation."""

import numpy as np

from evaluation.synthetic.anatomy import Anatomy, thorax_half_width
from evaluation.synthetic.shapes import Floats, Grid, bump, dome, step

# How dense a rib is over its height: two bright cortical edges about a softer middle.
_TABLE = 512


def rib_profile(half_height: float, edge: float) -> Floats:
    """Attenuation over one rib space (512 entries, rib in the middle), 0 to about 1, float32."""
    distance = np.abs((np.arange(_TABLE) + 0.5) / _TABLE - 0.5)
    inside = step(half_height - distance, 0.08)
    cortex = bump(distance - half_height + 0.05, 0.06)
    return np.asarray(((1.0 - edge) * inside + edge * cortex).astype(np.float32))


def looked_up(table: Floats, phase: Floats) -> Floats:
    """``table`` read at ``phase``, whose whole part counts ribs."""
    index = ((phase + 64.0) * _TABLE).astype(np.int32) & (_TABLE - 1)
    return np.asarray(table[index])


def ribs(chest: Anatomy, grid: Grid) -> Floats:
    """Both rib families: the back halves, bright and level; the front ones, broad and sloping."""
    half_width = thorax_half_width(chest, grid.y)
    u = np.abs(grid.x) / half_width
    clipped = np.minimum(u, 1.0)
    square = clipped * clipped
    height = grid.y / chest.rib_spacing + chest.rib_offset
    fall = 7.4 / chest.rib_spacing
    back = height - fall * (square * clipped * 0.62 - 0.10 * clipped)
    front = height - fall * (0.52 + 0.72 * (1.0 - square))
    # Seen edge-on at the side of the chest a rib is thicker along the ray.
    edge_on = 1.0 / np.sqrt(1.12 - square)
    cage = 1.0 - step(u - 1.03, 0.05)
    back_rib = looked_up(rib_profile(0.19, 0.45), back) * step(back - 0.4, 0.3)
    front_rib = looked_up(rib_profile(0.24, 0.25), front) * step(front - 0.4, 0.3)
    front_rib *= step(u - 0.42, 0.25) * (1.0 - step(front - 7.3, 0.4))
    back_rib *= 1.0 - step(back - 10.4, 1.5)
    return np.asarray((1.7 * back_rib + 0.95 * front_rib) * cage * (0.45 + 0.55 * edge_on))


def spine(chest: Anatomy, grid: Grid) -> Floats:
    """The vertebral column: bodies with disc spaces, pedicles and spinous processes."""
    span = chest.rib_spacing * 1.05
    phase = grid.y / span + chest.rib_offset
    bodies = looked_up(rib_profile(0.40, 0.35), phase)
    column = step(1.7 - np.abs(grid.x), 0.9) * (1.0 + 1.1 * bodies)
    pedicles = bump(np.abs(grid.x) - 1.15, 0.5) * bump(looked_up(_saw(), phase + 0.15), 0.2)
    process = bump(grid.x, 0.45) * bump(looked_up(_saw(), phase + 0.45), 0.25)
    return np.asarray(column + 0.9 * pedicles + 0.7 * process)


def _saw() -> Floats:
    """Distance from the middle of a vertebra, in vertebrae."""
    return np.asarray(((np.arange(_TABLE) + 0.5) / _TABLE - 0.5).astype(np.float32))


def clavicles(chest: Anatomy, grid: Grid, lift: float) -> Floats:
    """Two S-shaped bones from the breastbone to the shoulders; ``lift`` raises them (cm)."""
    across = np.clip((np.abs(grid.x) - 1.6) / (chest.half_width + 0.5), 0.0, 1.2)
    sweep = across * (1.0 - across)
    centre = 3.4 - lift - 3.6 * across + 2.3 * sweep * (1.0 - 2.2 * across)
    half_height = 0.85 - 0.5 * np.clip(4.0 * sweep, 0.0, 0.8)
    distance = np.abs(grid.y - centre) / half_height
    ends = step(np.abs(grid.x) - 1.6, 0.5) * (1.0 - step(across - 1.02, 0.08))
    shape = 0.65 * step(1.0 - distance, 0.4) + 0.7 * bump(distance - 0.85, 0.35)
    return np.asarray(1.5 * shape * ends)


def scapulae(chest: Anatomy, grid: Grid, over_lung: float) -> Floats:
    """The shoulder blades; ``over_lung`` from 0 (rolled aside, PA) to 1 (over the lungs, AP)."""
    x = np.abs(grid.x)
    inner = chest.half_width * (1.02 - 0.34 * over_lung) + 0.10 * (grid.y - 2.0)
    outer = chest.half_width + 5.0 - 0.42 * (grid.y - 2.0) - 1.8 * over_lung
    blade = step(x - inner, 0.5) * step(outer - x, 0.6) * step(grid.y - 1.2, 1.0)
    blade *= step(15.5 - grid.y, 1.5)
    rim = bump(x - outer + 0.3, 0.55) * step(grid.y - 1.0, 1.0) * step(14.8 - grid.y, 1.0)
    spine_line = bump(grid.y - (2.6 - 0.22 * (x - chest.half_width)), 0.8) * step(x - inner, 0.5)
    return np.asarray(0.55 * blade + 1.1 * rim + 0.9 * spine_line * step(outer + 3 - x, 1.0))


def humeri(chest: Anatomy, grid: Grid) -> Floats:
    """The heads of the upper arm bones, and the shafts below them."""
    x = np.abs(grid.x) - (chest.body_half_width + 2.8)
    head = dome(np.sqrt((x / 2.5) ** 2 + ((grid.y - 2.8) / 2.5) ** 2))
    shaft = step(1.2 - np.abs(x - 0.16 * (grid.y - 4.0)), 0.4) * step(grid.y - 3.5, 1.5)
    return np.asarray(3.2 * head + 2.2 * shaft)

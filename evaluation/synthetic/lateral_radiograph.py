"""Lateral chest radiographs (left side to the detector): spine behind, breastbone in front."""

import numpy as np

from evaluation.synthetic.anatomy import Anatomy, with_findings
from evaluation.synthetic.chest_radiograph import Exposure, developed
from evaluation.synthetic.findings import Findings
from evaluation.synthetic.shapes import (
    Floats,
    Grid,
    bump,
    centred_grid,
    dome,
    placed,
    step,
    texture,
)
from evaluation.synthetic.skeleton import looked_up, rib_profile

_SAMPLES = 400


def render_lateral(
    anatomy: Anatomy, findings: Findings, exposure: Exposure, rng: np.random.Generator
) -> Floats:
    """The displayed brightness of a lateral radiograph; the patient faces the left border.

    Returns:
        float32, shape ``exposure.shape``, 0 black to 1 white.
    """
    chest = with_findings(anatomy, findings)
    rows = round(_SAMPLES * exposure.shape[0] / exposure.shape[1])
    grid = centred_grid(exposure.field, -4.5, rows, _SAMPLES)
    body = _body(chest, grid)
    air = _air(chest, findings, grid)
    attenuation = np.maximum(body - air, 0.0) + _bones(chest, grid) * (body > 0.5)
    attenuation *= 1.0 + 0.03 * texture(rng, attenuation.shape, 12)
    turned = placed(attenuation, exposure.shape, exposure.angle, (0.0, 0.0))
    return developed(turned, exposure, rng)


def _walls(chest: Anatomy, y: Floats) -> tuple[Floats, Floats]:
    """Inner front (negative) and back border of the chest at height ``y``, cm."""
    t = np.clip(y / chest.lung_height, -0.3, 1.3)
    half = 0.58 * (chest.depth - 0.5 * chest.wall)
    return np.asarray(-half * (0.50 + 0.72 * t - 0.28 * t * t)), np.asarray(
        half * (0.74 + 0.86 * t - 0.66 * t * t)
    )


def _body(chest: Anatomy, grid: Grid) -> Floats:
    """Thickness from side to side, with the raised arms over the top."""
    front, back = _walls(chest, grid.y)
    middle, half = 0.5 * (front + back), 0.5 * (back - front) + 0.8 + 0.8 * chest.wall
    bust = 1.6 * chest.breast * bump(grid.y - 14.0, 7.0)
    across = (grid.x - middle) / (half + bust * (grid.x < middle))
    torso = 1.7 * chest.half_width * np.sqrt(dome(across))
    arm = 8.0 * dome((grid.x + 1.0 + 0.5 * grid.y) / 8.5) * (1.0 - step(grid.y - 2.5, 8.0))
    return np.asarray(torso * (0.75 + 0.25 * step(grid.y - 8.0, 12.0)) + arm)


def _air(chest: Anatomy, findings: Findings, grid: Grid) -> Floats:
    """Both lungs behind each other, less the heart, the diaphragm and what was found."""
    front, back = _walls(chest, grid.y)
    inside = np.minimum(grid.x - front, back - grid.x)
    air = 1.25 * chest.half_width * step(inside, 0.8) * step(grid.y - 0.5, 4.5)
    air *= 0.7 + 0.3 * np.clip(inside / 4.0, 0.0, 1.0)
    size = 2.0 * chest.heart_ratio * chest.half_width
    heart_x = (grid.x + 0.48 * chest.depth - 0.30 * size) / (0.44 * size)
    heart_y = (grid.y - 0.76 * chest.lung_height) / (0.55 * size)
    tilted = np.sqrt((heart_x + 0.35 * heart_y) ** 2 + heart_y * heart_y)
    air *= 1.0 - 0.62 * step(1.0 - tilted, 0.3)
    slope = (
        chest.lung_height
        - chest.right_lift
        + chest.dome_height
        * (1.0 - dome(np.clip((grid.x + 2.0) / (0.62 * chest.depth), -0.95, 0.99)))
    )
    air *= 1.0 - 0.8 * step(grid.y - slope, 0.4) - 0.19 * step(grid.y - slope - 1.2, 0.4)
    if findings.effusion:
        surface = chest.lung_height + 2.5 - 0.7 * findings.effusion * step(grid.x - 1.0, 9.0)
        air *= 1.0 - 0.7 * step(grid.y - surface, 1.5)
    return np.asarray(air * _patches(chest, findings, grid))


def _patches(chest: Anatomy, findings: Findings, grid: Grid) -> Floats:
    """What consolidations leave of the air; the other lung still shines through."""
    clear = np.ones((grid.y.shape[0], grid.x.shape[1]), dtype=np.float32)
    for spot in findings.opacities:
        x0, y0 = 9.0 * (spot.across - 0.5), spot.down * chest.lung_height
        r = np.sqrt((grid.x - x0) ** 2 + (grid.y - y0) ** 2) / spot.radius
        clear *= 1.0 - 0.5 * spot.density * bump(r, 1.4)
    return clear


def _bones(chest: Anatomy, grid: Grid) -> Floats:
    """Vertebrae, ribs of both sides and the breastbone."""
    front, back = _walls(chest, grid.y)
    span = chest.rib_spacing * 1.05
    bodies = looked_up(rib_profile(0.41, 0.5), grid.y / span + chest.rib_offset)
    column = step(1.9 - np.abs(grid.x - back + 1.6), 0.6) * (1.2 + 2.2 * bodies)
    fall = 0.62 * (back - grid.x)
    height = (grid.y - fall) / chest.rib_spacing + chest.rib_offset
    rib = looked_up(rib_profile(0.17, 0.4), height) * step(back + 0.6 - grid.x, 0.5)
    rib *= step(grid.x - front + 0.3, 0.5) * step(grid.y - 1.0, 3.0)
    sternum = bump(grid.x - front + 0.5, 0.8) * step(grid.y - 3.0, 1.5)
    return np.asarray(column + 1.5 * rib + 2.0 * sternum * (1.0 - step(grid.y - 18.0, 2.0)))

"""Frontal chest radiographs: attenuation added up along the beam, then a film-like tone."""

from dataclasses import dataclass

import numpy as np

from evaluation.synthetic import skeleton
from evaluation.synthetic.anatomy import (
    Anatomy,
    diaphragm,
    heart_edges,
    thorax_half_width,
    with_findings,
)
from evaluation.synthetic.findings import Findings
from evaluation.synthetic.lung_vessels import frontal_vessels
from evaluation.synthetic.shapes import (
    Floats,
    Grid,
    barrel,
    bump,
    centred_grid,
    dome,
    grain,
    placed,
    step,
    texture,
)

_SAMPLES = 400


@dataclass(frozen=True)
class Exposure:
    """How one radiograph was taken: its view, size, and the small faults of positioning.

    ``field`` is the width of the detector in cm; ``shape`` (rows, columns); ``angle`` in
    radians; ``shift`` (down, right) in cm; ``noise`` and ``gamma`` steer the look.
    """

    view: str
    shape: tuple[int, int]
    field: float
    angle: float
    shift: tuple[float, float]
    noise: float
    gamma: float

    @property
    def pixel_spacing(self) -> float:
        """Distance between pixels on the detector, in mm."""
        return self.field * 10.0 / self.shape[1]


def draw_exposure(rng: np.random.Generator, view: str, height: float) -> Exposure:
    """A plausible exposure for ``view`` ("PA", "AP" or "LL") that shows ``height`` cm."""
    shapes = ((512, 512), (544, 512), (576, 512), (512, 576), (512, 544), (600, 512))
    shape = shapes[int(rng.integers(len(shapes)))]
    return Exposure(
        view=view,
        shape=shape,
        field=max(
            rng.uniform(33.5, 37.5) - (3.0 if view == "LL" else 0.0), height * shape[1] / shape[0]
        ),
        angle=rng.normal(0.0, 0.012 if view == "PA" else 0.03),
        shift=(rng.normal(0.0, 0.5), rng.normal(0.0, 0.5)),
        noise=rng.uniform(0.5, 1.2) * (1.3 if view == "AP" else 1.0),
        gamma=rng.uniform(0.85, 1.2),
    )


def render_frontal(
    anatomy: Anatomy, findings: Findings, exposure: Exposure, rng: np.random.Generator
) -> Floats:
    """The displayed brightness of a frontal radiograph.

    Returns:
        float32, shape ``exposure.shape``, 0 black (direct exposure) to 1 white (bone).
    """
    ap = exposure.view == "AP"
    chest = with_findings(anatomy, findings, ap=ap)
    rows = round(_SAMPLES * exposure.shape[0] / exposure.shape[1])
    spare = exposure.field * rows / _SAMPLES - chest.lung_height - 0.7 * chest.dome_height
    grid = centred_grid(exposure.field, -0.45 * spare, rows, _SAMPLES)
    vessels = np.random.default_rng(anatomy.texture_seed)
    air = lung_air(chest, findings, grid, rng)
    body = soft_tissue(chest, grid)
    marks = bones(chest, grid, ap=ap) + frontal_vessels(chest, grid, vessels) * np.clip(
        air / 9.0, 0.0, 1.0
    )
    attenuation = np.maximum(body - air, 0.0) + marks * (body > 0.5)
    attenuation *= 1.0 + 0.02 * texture(rng, attenuation.shape, 14)
    shift = (-exposure.shift[0] / grid.pitch, -exposure.shift[1] / grid.pitch)
    turned = placed(attenuation, exposure.shape, exposure.angle, shift)
    return developed(turned, exposure, rng)


def developed(attenuation: Floats, exposure: Exposure, rng: np.random.Generator) -> Floats:
    """Attenuation (cm of water) to brightness in [0, 1]: an S-shaped tone, then quantum noise."""
    table = _tone(exposure.gamma).astype(np.float32)
    index = np.clip(attenuation * 32.0, 0, table.size - 1).astype(np.int32)
    bright = table[index]
    # Fewer quanta pass where more is attenuated, and in the logarithm that is more noise.
    bright += (0.004 + 0.016 * bright) * exposure.noise * grain(rng, bright.shape)
    return np.asarray(np.clip(bright, 0.0, 1.0))


def _tone(gamma: float) -> Floats:
    """Brightness over attenuation in steps of 1/32 cm: dark lungs, mid soft tissue, white bone."""
    thickness = [0.0, 2.0, 5.0, 9.0, 14.0, 20.0, 26.0, 34.0]
    bright = [0.02, 0.07, 0.17, 0.34, 0.57, 0.79, 0.91, 0.99]
    curve = np.interp(np.arange(34 * 32) / 32.0, thickness, bright)
    return np.asarray(curve**gamma)


def soft_tissue(chest: Anatomy, grid: Grid) -> Floats:
    """Thickness of the body along the beam without the air in it, in cm."""
    x = np.abs(grid.x)
    flare = 1.0 - step(grid.y - 6.5, 7.0)
    half = chest.body_half_width + 9.0 * flare + 1.2 * step(grid.y - chest.lung_height, 14.0)
    torso = chest.depth * barrel(np.minimum(x / half, 1.0)) * (1.0 - 0.25 * flare)
    shoulder = -2.4 + 0.012 * x * x - 22.0 / (1.0 + 0.12 * x * x)
    torso = torso * (
        0.45 * step(grid.y - shoulder, 1.2) + 0.55 * step(grid.y - shoulder - 2.6, 7.0)
    )
    neck = 11.0 * barrel(np.minimum(x / 6.4, 1.0)) * (1.0 - step(grid.y - 1.0, 9.0))
    arms = 8.0 * dome((x - half - 5.6 + 0.12 * grid.y) / 4.4) * step(grid.y - 5.0, 6.0)
    windpipe = 1.5 * bump(grid.x, 1.0) * (1.0 - step(grid.y - 0.40 * chest.lung_height, 1.5))
    solid = np.maximum(np.maximum(torso, neck), arms) - windpipe
    return np.asarray(solid + _breasts(chest, grid) - _stomach_air(chest, grid))


def _breasts(chest: Anatomy, grid: Grid) -> Floats | float:
    """Two rounded shadows over the lower lungs, sharp below and fading above."""
    if not chest.breast:
        return 0.0
    x = (np.abs(grid.x) - 0.56 * chest.half_width) / (0.46 * chest.half_width)
    y = (grid.y - 0.78 * chest.lung_height) / (5.2 + chest.breast)
    fade = step(y + 0.55, 1.3)
    return np.asarray(2.2 * chest.breast * dome(np.sqrt(x * x + y * y)) * fade)


def _stomach_air(chest: Anatomy, grid: Grid) -> Floats:
    """The gas bubble below the left diaphragm."""
    x = (grid.x - 0.46 * chest.half_width) / 3.0
    y = (grid.y - diaphragm(chest, grid.x) - 1.9) / 1.1
    return np.asarray(5.0 * dome(np.sqrt(x * x + y * y)))


def lung_air(chest: Anatomy, findings: Findings, grid: Grid, rng: np.random.Generator) -> Floats:
    """Thickness of air along the beam, in cm: what makes the lungs dark."""
    x = np.abs(grid.x)
    half_width = thorax_half_width(chest, grid.y)
    depth = 0.74 * (chest.depth - 0.8 * chest.wall) * (1.0 + 0.12 * findings.hyperinflation)
    air = depth * barrel(np.minimum(x / (half_width + 0.5), 1.0)) * step(half_width - x, 0.5)
    air *= step(grid.y, 0.8) * (0.72 + 0.28 * step(grid.y - 0.2 * chest.lung_height, 9.0))
    air *= 1.0 - _heart(chest, grid)
    below = grid.y - diaphragm(chest, grid.x)
    # Lung reaches behind the dome: a faint darkness below it.
    air *= 1.0 - 0.86 * step(below, 0.35) - 0.14 * step(below - 2.5, 5.0)
    if findings.effusion:
        air *= 1.0 - _fluid(chest, findings, grid)
    if findings.opacities:
        air *= 1.0 - _consolidation(chest, findings, grid, rng)
    return np.asarray(air)


def _heart(chest: Anatomy, grid: Grid) -> Floats:
    """The part of the air that heart and mediastinum replace: sharp border, denser inside."""
    right, left = heart_edges(chest, grid.y)
    inside = np.minimum(grid.x + right, left - grid.x)
    return np.asarray(step(inside, 0.3) * (0.66 + 0.34 * np.sqrt(np.clip(inside / 3.0, 0, 1))))


def _fluid(chest: Anatomy, findings: Findings, grid: Grid) -> Floats:
    """Pleural fluid: it fills the base and climbs along the ribs (the meniscus)."""
    x = grid.x * findings.effusion_side
    outward = np.clip(x / chest.half_width, 0.0, 1.1)
    base = chest.lung_height + 0.55 * chest.dome_height
    surface = base - findings.effusion * (0.42 + 0.75 * outward * outward * outward)
    return np.asarray(0.96 * step(grid.y - surface, 1.6) * step(x, 1.0))


def _consolidation(
    chest: Anatomy, findings: Findings, grid: Grid, rng: np.random.Generator
) -> Floats:
    """The part of the air that consolidations replace, patchy at the rim."""
    shape = (grid.y.shape[0], grid.x.shape[1])
    patchy = 0.7 * texture(rng, shape, 18) + 0.5 * texture(rng, shape, 50)
    clear = np.ones(patchy.shape, dtype=np.float32)
    for spot in findings.opacities:
        y0 = spot.down * chest.lung_height
        width = float(thorax_half_width(chest, np.array([y0]))[0])
        x0 = spot.side * (2.5 + spot.across * (width - 2.5))
        r = ((grid.x - x0) / spot.radius) ** 2 + ((grid.y - y0) / (0.85 * spot.radius)) ** 2
        cloud = np.minimum(1.5 * bump(np.maximum(np.sqrt(r) - 0.14 * patchy, 0.0), 1.5), 1.0)
        clear *= 1.0 - spot.density * cloud
    return np.asarray(1.0 - clear)


def bones(chest: Anatomy, grid: Grid, *, ap: bool) -> Floats:
    """All bones of the frontal view, in cm of water."""
    cage = skeleton.ribs(chest, grid) + skeleton.spine(chest, grid)
    shoulders = skeleton.scapulae(chest, grid, 0.9 if ap else 0.12)
    shoulders += skeleton.clavicles(chest, grid, 1.6 if ap else 0.0)
    return np.asarray(cage + shoulders + skeleton.humeri(chest, grid))

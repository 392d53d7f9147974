"""A made-up person's chest: the measures that a radiograph and a CT series of it share."""

from dataclasses import dataclass, replace

import numpy as np

from evaluation.synthetic.findings import Findings
from evaluation.synthetic.shapes import Floats, bump, dome


@dataclass(frozen=True)
class Anatomy:
    """Measures of one chest, in cm unless said otherwise.

    ``heart_ratio`` is the cardiothoracic ratio: greatest heart width over greatest inner width
    of the rib cage. ``wall`` is what lies between ribs and skin at the side, ``depth`` the body
    from front to back, ``dome_height`` how far a diaphragm rises above its angle at the ribs,
    and ``right_lift`` how much higher the right one stands. ``rib_offset`` is a part of a rib
    space. ``texture_seed`` picks the vessels.
    """

    sex: str
    age: int
    half_width: float
    lung_height: float
    wall: float
    depth: float
    heart_ratio: float
    dome_height: float
    right_lift: float
    knob: float
    rib_offset: float
    breast: float
    texture_seed: int

    @property
    def rib_spacing(self) -> float:
        """Height from one rib to the next, in cm."""
        return self.lung_height / 9.2

    @property
    def body_half_width(self) -> float:
        """From the midline to the skin at the side, in cm."""
        return self.half_width + self.wall


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """One person's chest, drawn from plausible adult ranges."""
    female = bool(rng.random() < 0.48)
    size = rng.uniform(0.92, 1.08) * (0.94 if female else 1.02)
    wall = rng.uniform(1.4, 4.4)
    return Anatomy(
        sex="F" if female else "M",
        age=int(rng.integers(22, 89)),
        half_width=13.6 * size * rng.uniform(0.96, 1.05),
        lung_height=23.5 * size * rng.uniform(0.94, 1.06),
        wall=wall,
        depth=17.5 * size + wall,
        heart_ratio=rng.uniform(0.39, 0.455),
        dome_height=rng.uniform(4.6, 6.4),
        right_lift=rng.uniform(0.5, 1.8),
        knob=rng.uniform(0.7, 1.7),
        rib_offset=rng.uniform(0.0, 1.0),
        breast=rng.uniform(0.7, 2.2) if female else 0.0,
        texture_seed=int(rng.integers(2**32)),
    )


def with_findings(anatomy: Anatomy, findings: Findings, *, ap: bool = False) -> Anatomy:
    """The chest as the findings, and an AP exposure of a patient in bed, change its measures.

    AP magnifies the heart by some 8 % and finds the lungs less full; a normal heart stays below
    a ratio of 0.5 all the same, so that the label holds.
    """
    heart = anatomy.heart_ratio * (1.08 if ap else 1.0)
    if findings.heart_ratio is not None:
        heart = findings.heart_ratio
    air = findings.hyperinflation
    return replace(
        anatomy,
        heart_ratio=heart * (1.0 - 0.22 * air),
        lung_height=anatomy.lung_height * ((0.93 if ap and not air else 1.0) + 0.13 * air),
        half_width=anatomy.half_width * (1.0 + 0.03 * air),
        dome_height=anatomy.dome_height * (1.0 - 0.75 * air),
    )


def thorax_half_width(chest: Anatomy, y: Floats) -> Floats:
    """Midline to the inner side of the ribs at height ``y``: a dome over the lung tops."""
    t = np.clip(1.0 - (y + 0.2) / (chest.lung_height * 1.02), 0.0, 1.0)
    apex = 4.4
    # (1 - t^2.6)^0.6 in double precision: powers are not exact in any precision.
    rise = (1.0 - np.float64(t) ** 2.6) ** 0.6
    return np.asarray((apex + (chest.half_width - apex) * rise).astype(np.float32))


def heart_edges(chest: Anatomy, y: Floats) -> tuple[Floats, Floats]:
    """Right and left border of the mediastinum and heart at height ``y``, cm from the midline.

    From the top: great vessels, then on the left the aortic knob and the pulmonary trunk, and
    below them the ventricle; on the right the right atrium. The widest level gives
    ``heart_ratio`` of the inner chest width.
    """
    t = y / chest.lung_height
    width = 2.0 * chest.half_width * chest.heart_ratio
    right = 2.2 + 0.35 * bump(t - 0.34, 0.25) + (0.36 * width - 2.2) * bump(t - 0.76, 0.36)
    left = 2.2 + chest.knob * bump(t - 0.30, 0.11) + 1.1 * bump(t - 0.46, 0.14)
    # The left ventricle swells slowly from above; its apex lies low, near the diaphragm.
    swell = np.where(t < 0.84, bump(t - 0.84, 0.46), bump(t - 0.84, 0.60))
    left = left + (0.64 * width - 2.2) * swell
    # Over the lung tops the borders bend outwards, round the apices.
    top = bump(np.minimum(t, 0.3) + 0.04, 0.16)
    return np.asarray(right + 1.9 * top), np.asarray(left + 1.9 * top)


def diaphragm(chest: Anatomy, x: Floats) -> Floats:
    """Height ``y`` of the upper face of the diaphragm over ``x``, both sides, in cm."""
    top = chest.lung_height - chest.right_lift * (1.0 - np.float32(0.7) * (x >= 0))
    across = (np.abs(x) - 0.44 * chest.half_width) / (0.56 * chest.half_width)
    return np.asarray(top + chest.dome_height * (1.0 - dome(np.clip(across, -0.92, 0.995))))

"""Chest-like CT series in Hounsfield units, painted tissue by tissue into one volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluation.synthetic.anatomy import (
    Anatomy,
    diaphragm,
    heart_edges,
    thorax_half_width,
    with_findings,
)
from evaluation.synthetic.findings import Findings
from evaluation.synthetic.lung_vessels import branches
from evaluation.synthetic.shapes import Floats, grain, texture

AIR, LUNG, FAT, FLUID, BLOOD, MUSCLE, LIVER, BONE = -1000, -850, -100, 8, 45, 50, 62, 420

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scan:
    """How a series was taken.

    Slices are ``matrix`` x ``matrix`` pixels over ``field`` mm, ``spacing`` mm apart, from the
    neck downwards; ``contrast`` is what an injection adds to the blood, in HU.
    """

    slices: int
    matrix: int
    field: float
    spacing: float
    contrast: float
    noise: float

    @property
    def pixel_spacing(self) -> float:
        """Distance between pixels within a slice, in mm."""
        return self.field / self.matrix


@dataclass(frozen=True)
class _Space:
    """Broadcastable coordinates in cm: y down the body, p towards the back, x to the left.

    ``half`` and ``deep`` are the inner half axes of the rib cage at each slice.
    """

    y: Floats
    p: Floats
    x: Floats
    half: Floats
    deep: Floats

    def ball(self, y: float, p: float, x: float, radius: float) -> Floats:
        """Squared distance from a point over squared radius, shape (slices, rows, columns)."""
        square = (self.y - y) ** 2 + (self.p - p) ** 2 + (self.x - x) ** 2
        return np.asarray(square / radius**2)

    def tube(self, p: float, x: Floats | float, radius: float) -> Mask:
        """Inside of a round tube along the body."""
        return np.asarray((self.p - p) ** 2 + (self.x - x) ** 2 < radius**2)


def draw_scan(rng: np.random.Generator, anatomy: Anatomy) -> Scan:
    """A plausible scan that holds the whole width of the chest."""
    return Scan(
        slices=int(rng.integers(56, 65)),
        matrix=128 if rng.random() < 0.6 else 192,
        field=20.0 * anatomy.body_half_width + rng.uniform(15.0, 50.0),
        spacing=5.0,
        contrast=130.0 if rng.random() < 0.5 else 0.0,
        noise=rng.uniform(8.0, 18.0),
    )


def render_ct(
    anatomy: Anatomy, findings: Findings, scan: Scan, rng: np.random.Generator
) -> NDArray[np.int16]:
    """One series, from the neck down.

    Returns:
        int16 in HU, shape (slices, rows, columns), between -1024 and 3071; rows run from front
        to back, columns from the patient's right to the left (PS3.3 C.7.6.2.1.1).
    """
    chest = with_findings(anatomy, findings)
    space = _space(chest, scan)
    volume = _body(chest, space)
    lungs = _lungs(chest, space)
    _paint_bones(volume, chest, space)
    _paint_lungs(volume, lungs, chest, space, findings)
    _paint_middle(volume, chest, space, scan.contrast)
    _paint_findings(volume, lungs, space, findings, rng)
    soft = ndimage.gaussian_filter(volume, (0.0, 0.6, 0.6), truncate=2.0)
    soft += scan.noise * grain(rng, soft.shape)
    return np.asarray(np.clip(np.rint(soft), -1024, 3071).astype(np.int16))


def _space(chest: Anatomy, scan: Scan) -> _Space:
    """Coordinates of every voxel; the middle slice falls into the middle of the lungs."""
    top = 0.52 * chest.lung_height - scan.slices * scan.spacing / 20.0
    y = (top + np.arange(scan.slices) * scan.spacing / 10.0).astype(np.float32)[:, None, None]
    across = (np.arange(scan.matrix) - (scan.matrix - 1) / 2) * scan.pixel_spacing / 10.0
    half = thorax_half_width(chest, np.maximum(y, 0.3))
    line = across.astype(np.float32)
    deep = half * np.float32((chest.depth / 2 - 0.5 * chest.wall) / chest.half_width)
    return _Space(y=y, p=line[None, :, None], x=line[None, None, :], half=half, deep=deep)


def _body(chest: Anatomy, space: _Space) -> Floats:
    """Air, the couch, and a body of fat around muscle, float32 HU."""
    shape = (space.y.size, space.p.size, space.x.size)
    volume = np.full(shape, AIR, dtype=np.float32)
    wide, deep = chest.body_half_width, chest.depth / 2 + 0.5
    couch = np.abs(space.p - deep - 1.1 + 0.012 * space.x**2) < 0.3
    volume[:, (couch & (np.abs(space.x) < 17))[0]] = -350
    flat = (space.x / wide) ** 2
    section = (0.4 * flat + 0.6 * flat * flat + (space.p / deep) ** 2)[0]
    fat = 0.35 * chest.wall
    flat = (space.x / (wide - fat)) ** 2
    muscle = (0.4 * flat + 0.6 * flat * flat + (space.p / (deep - 0.6 * fat)) ** 2)[0]
    volume[:, section < 1.0] = FAT
    volume[:, muscle < 1.0] = MUSCLE
    return volume


def _cage(space: _Space) -> Floats:
    """Squared normalised radius within the rib cage: 1 on its inner face."""
    return np.asarray((space.x / space.half) ** 2 + (space.p / space.deep) ** 2)


def _lungs(chest: Anatomy, space: _Space) -> Mask:
    """Where there is lung: in the cage, beside the mediastinum, above the diaphragm."""
    inside = _cage(space) < 0.93
    inside &= space.y > 0.2
    right, left = heart_edges(chest, space.y)
    centre, width = 0.5 * (left - right), 0.5 * (left + right)
    across = ((space.x - centre) / width) ** 2
    middle = across + ((space.p + 0.12 * space.deep) / (0.74 * space.deep)) ** 2 < 1.0
    middle |= (np.abs(space.x) < 2.4) & (space.p > 0.45 * space.deep)
    middle |= (np.abs(space.x) < 1.1) & (space.p < -0.4 * space.deep)
    # Lung reaches lower behind than in front.
    behind = np.maximum(space.p, 0.0)
    floor = diaphragm(chest, space.x) + 0.055 * behind * behind - 0.5
    return np.asarray(inside & ~middle & (space.y < floor))


def _paint_lungs(
    volume: Floats, lungs: Mask, chest: Anatomy, space: _Space, findings: Findings
) -> None:
    """Fill the lungs: a little denser towards the back, with vessels; air in the windpipe."""
    slope = LUNG - 40.0 * findings.hyperinflation + 1.5 * space.p
    np.copyto(volume, slope.astype(np.float32), where=lungs)
    below = (_cage(space) < 0.93) & ~lungs & (space.y > diaphragm(chest, space.x))
    volume[below & (space.x < 3.0)] = LIVER
    stomach = (space.x - 6.5) ** 2 / 9 + (space.p + 3.0) ** 2 / 6
    bubble = stomach + (space.y - chest.lung_height - 3.0) ** 2 / 4 < 1.0
    volume[bubble & below] = AIR + 60
    _paint_vessels(volume, lungs, chest, space)


def _paint_vessels(volume: Floats, lungs: Mask, chest: Anatomy, space: _Space) -> None:
    """Vessel trees from both hila, one or more voxels wide, only within the lungs."""
    rng = np.random.default_rng(chest.texture_seed)
    steps = np.array([0.5, float(space.x[0, 0, 1] - space.x[0, 0, 0])])
    start = np.array([float(a.flat[0]) for a in (space.y, space.p, space.x)])
    for side in (-1.0, 1.0):
        tree = branches(rng, np.array([0.45 * chest.lung_height, 2.2]), 18, 13.0)
        spread = rng.uniform(-0.75, 0.75, (tree.shape[0], 1)) * (tree[:, :, 1] - 2.2)
        places = np.stack([tree[:, :, 0], spread, side * tree[:, :, 1]], axis=-1)
        voxels = np.floor((places - start) / steps[[0, 1, 1]] + 0.5).astype(np.intp)
        thick = tree[:, :, 2] > 0.6
        for shift in ((0, 0), (0, 1), (1, 0), (1, 1)):
            chosen = voxels if shift == (0, 0) else voxels[thick]
            _set_where(volume, lungs, chosen.reshape(-1, 3) + np.array([0, *shift]), -60.0)


def _set_where(volume: Floats, mask: Mask, voxels: NDArray[np.intp], value: float) -> None:
    """Set the voxels (n, 3) that lie in the volume and in the mask."""
    seen = np.all((voxels >= 0) & (voxels < np.array(volume.shape)), axis=1)
    k, i, j = voxels[seen].T
    keep = mask[k, i, j]
    volume[k[keep], i[keep], j[keep]] = value


def _paint_bones(volume: Floats, chest: Anatomy, space: _Space) -> None:
    """Ribs as a slanting pattern on the cage's shell, breastbone and shoulder blades."""
    cage = _cage(space)
    volume[(cage > 1.22) & (cage < 1.26) & (volume > FAT)] = FAT
    k, i, j = np.nonzero((cage > 0.98) & (cage < 1.17) & (np.abs(space.x) > 1.2))
    forward = 0.5 * (1.0 - space.p[0, i, 0] / space.deep[k, 0, 0])
    height = (space.y[k, 0, 0] - 9.0 * forward) / chest.rib_spacing + chest.rib_offset
    rib = np.abs(height - np.floor(height) - 0.5) < 0.24
    volume[k[rib], i[rib], j[rib]] = BONE
    breastbone = (np.abs(space.x) < 1.7) & (np.abs(space.p + 1.07 * space.deep) < 0.5)
    volume[breastbone & (space.y > 2.5) & (space.y < 0.72 * chest.lung_height)] = 260
    blade = np.abs(space.p - 0.55 * space.deep - 0.9 * (9.5 - np.abs(space.x))) < 0.5
    blade = blade & (np.abs(space.x) > 6.0) & (np.abs(space.x) < 12.5) & (cage > 1.26)
    volume[blade & (space.y < 14.0) & (volume > FAT)] = 380


def _paint_middle(volume: Floats, chest: Anatomy, space: _Space, contrast: float) -> None:
    """Spine, heart chambers, aorta, windpipe and its two branches."""
    back = 0.5 * chest.depth - 0.35 * chest.wall - 3.3
    volume[np.broadcast_to(space.tube(back, 0.0, 2.1), volume.shape)] = 450
    volume[np.broadcast_to(space.tube(back, 0.0, 1.75), volume.shape)] = 190
    volume[np.broadcast_to(space.tube(back + 2.4, 0.0, 1.25), volume.shape)] = 450
    volume[np.broadcast_to(space.tube(back + 2.3, 0.0, 0.85), volume.shape)] = 25
    right, left = heart_edges(chest, space.y)
    centre = 0.5 * (left - right)
    chambers = ((space.x - centre) / (0.36 * (left + right))) ** 2
    chambers = chambers + ((space.p + 0.2 * space.deep) / (0.5 * space.deep)) ** 2
    low = (space.y > 0.5 * chest.lung_height) & (space.y < 1.04 * chest.lung_height)
    volume[(chambers < 1.0) & low] = BLOOD + contrast
    arch = space.y > 0.28 * chest.lung_height
    volume[space.tube(back - 3.0, 1.9, 1.25) & arch] = BLOOD + contrast
    volume[space.tube(-2.0, -1.2, 1.5) & arch & ~low] = BLOOD + contrast
    fork = 0.42 * chest.lung_height
    apart = np.clip(space.y - fork, 0.0, 4.0)
    for side in (-1.0, 1.0):
        pipe = space.tube(1.2, side * 0.9 * apart, 0.85) & (apart < 3.5)
        volume[pipe] = AIR + 20


def _paint_findings(
    volume: Floats,
    lungs: Mask,
    space: _Space,
    findings: Findings,
    rng: np.random.Generator,
) -> None:
    """Nodule, consolidation and fluid, each of them through the middle slice."""
    middle = space.y.size // 2
    y, half = float(space.y[middle, 0, 0]), float(space.half[middle, 0, 0])
    if findings.nodule:
        side = findings.effusion_side
        ball = space.ball(y, rng.uniform(-1.0, 3.5), side * 0.68 * half, findings.nodule)
        volume[(ball < 1.0) & lungs] = 40
    for number, spot in enumerate(findings.opacities):
        patchy = 0.3 * texture(rng, (space.p.size, space.x.size), 22)
        depth = y + (0.0 if number == 0 else 6.0 * (spot.down - 0.5))
        place = (4.0 * (spot.across - 0.2), spot.side * (0.4 + 0.4 * spot.across) * half)
        cloud = space.ball(depth, *place, spot.radius) + patchy
        dense = (-650.0 + 680.0 * np.clip(2.2 - 2.2 * cloud, 0.0, 1.0)).astype(np.float32)
        np.copyto(volume, dense, where=lungs & (cloud < 1.0))
    if findings.effusion:
        # The patient lies on the back: fluid gathers behind, most of it low in the chest.
        lower = 0.42 * findings.effusion * np.clip((space.y - y + 6.0) / 10.0, 0.0, 1.3)
        surface = 0.9 * space.deep - lower - 0.03 * space.x * space.x
        fluid = lungs & (space.p > surface) & (lower > 0) & (space.x * findings.effusion_side > 0)
        volume[fluid] = FLUID

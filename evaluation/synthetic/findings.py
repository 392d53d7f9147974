"""What is wrong in a synthetic image: drawn first, drawn into the pixels after."""

from dataclasses import dataclass, field

import numpy as np

RADIOGRAPH_FINDINGS = ("cardiomegaly", "opacity", "hyperinflation", "effusion")
CT_FINDINGS = ("nodule", "consolidation", "effusion")
# Pairs that hide each other in the pixels are never drawn together.
_EXCLUSIVE = (
    frozenset({"hyperinflation", "cardiomegaly"}),
    frozenset({"hyperinflation", "effusion"}),
)


@dataclass(frozen=True)
class Opacity:
    """A blurred consolidation.

    ``side`` is -1 on the patient's right and +1 on the left; ``across`` (0 at the hilum, 1 at
    the ribs) and ``down`` (0 at the lung top, 1 at the diaphragm) place its centre; ``radius``
    is in cm and ``density`` the part of the air that is replaced.
    """

    side: int
    across: float
    down: float
    radius: float
    density: float


@dataclass(frozen=True)
class Findings:
    """The findings of one study, with their measures; the default is a normal chest.

    ``heart_ratio`` is a cardiothoracic ratio above 0.5 or None; ``hyperinflation`` runs from 0
    to 1; ``effusion`` is the height of the fluid in cm on side ``effusion_side`` (-1 right,
    +1 left); ``nodule`` a radius in cm, at the place of the first opacity of zero density.
    """

    present: frozenset[str] = frozenset()
    heart_ratio: float | None = None
    opacities: tuple[Opacity, ...] = field(default=())
    hyperinflation: float = 0.0
    effusion: float = 0.0
    effusion_side: int = 1
    nodule: float = 0.0

    def labels(self, names: tuple[str, ...]) -> dict[str, int]:
        """1 or 0 for each of ``names``, and for ``normal``, which is 1 where nothing is found."""
        values = {name: int(name in self.present) for name in names}
        return values | {"normal": int(not self.present)}


def choose(rng: np.random.Generator, names: tuple[str, ...]) -> frozenset[str]:
    """None in about 3 of 10 studies, one in 6, two that can be seen together in 1."""
    first = names[int(rng.integers(len(names)))]
    second = names[int(rng.integers(len(names)))]
    luck = rng.random()
    if luck < 0.3:
        return frozenset()
    pair = {first, second}
    return frozenset({first}) if luck < 0.85 or pair in _EXCLUSIVE else frozenset(pair)


def draw_findings(rng: np.random.Generator, present: frozenset[str]) -> Findings:
    """Measures for the findings named in ``present``."""
    side = -1 if rng.random() < 0.5 else 1
    opacities = tuple(_opacity(rng, side, n) for n in range(int(rng.integers(1, 4))))
    ratio, air = rng.uniform(0.55, 0.66), rng.uniform(0.7, 1.0)
    fluid, radius = rng.uniform(4.5, 9.5), rng.uniform(0.8, 1.7)
    return Findings(
        present=present,
        heart_ratio=ratio if "cardiomegaly" in present else None,
        opacities=opacities if present & {"opacity", "consolidation"} else (),
        hyperinflation=air if "hyperinflation" in present else 0.0,
        effusion=fluid if "effusion" in present else 0.0,
        effusion_side=-1 if rng.random() < 0.5 else 1,
        nodule=radius if "nodule" in present else 0.0,
    )


def _opacity(rng: np.random.Generator, side: int, number: int) -> Opacity:
    """One consolidation; the first is on ``side``, further ones on either."""
    return Opacity(
        side=side if number == 0 or rng.random() < 0.6 else -side,
        across=rng.uniform(0.3, 0.75),
        down=rng.uniform(0.28, 0.85),
        radius=rng.uniform(3.0, 5.6) * (1.0 if number == 0 else 0.75),
        density=rng.uniform(0.55, 0.85),
    )

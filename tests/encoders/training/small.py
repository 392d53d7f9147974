"""A network, images and a recipe so small that an epoch takes a fraction of a second."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.training.examples import Examples
from encoders.training.recipe import Recipe

SIDE = 32
_RECIPE: dict[str, Any] = {
    "name": "small",
    "summary": "a small transformer",
    "source": "nobody",
    "loss": "bce",
    "targets": {"aim": "label", "names": ["bright"]},
    "network": {
        "builder": "vit",
        "config": {
            "in_channels": 1,
            "img_size": SIDE,
            "patch_size": 16,
            "hidden_size": 16,
            "mlp_dim": 16,
            "num_layers": 1,
            "num_heads": 2,
            "dropout_rate": 0.1,
        },
        "pooling": "class token",
        "dimension": 16,
    },
    "preprocessing": {"size": SIDE, "resize": "square", "mean": [0.5], "std": [0.25]},
    "augmentation": {"flip": 0.5, "rotate": 5},
    "optimiser": {"name": "adam", "rate": 0.01},
    "schedule": {"epochs": 4, "batch": 8, "monitor": "auc"},
}


def recipe(**tables: Any) -> Recipe:
    """The small recipe with other values."""
    return Recipe.model_validate(_RECIPE).changed(tables)


def examples(count: int = 48, patients: int | None = None) -> Examples:
    """Images of which every other one is bright; two of each patient."""
    numbers = np.arange(count)
    of = numbers // 2 if patients is None else numbers % patients
    return Examples(
        name="made",
        ids=tuple(map(str, numbers)),
        paths=tuple(Path(f"{at}.png") for at in numbers),
        patients=tuple(f"p{at}" for at in of),
        outputs=("bright",),
        targets=(numbers % 2).astype(np.float32)[:, None],
        known=np.ones((count, 1), bool),
    )


def read(path: Path) -> NDArray[np.float32]:
    """Noise, whose upper half is brighter in every other image."""
    at = int(path.stem)
    found = np.random.default_rng(at).random((40, 36), np.float32) * np.float32(0.5)
    found[:20] += 0.4 * (at % 2)
    return found

"""The encoders that Likeness knows, by name, and the one way to make one."""

import difflib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.encoder import Encoder, EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.space import Space

UNIT_LENGTH_TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be."""

Factory = Callable[[EncoderOptions], Encoder]


@dataclass(frozen=True)
class Entry:
    """An encoder that can be made.

    Attributes:
        name: as settings and the command line give it.
        summary: one line for people.
        needs_weights: whether a weights file has to be set.
        modalities: it is meant for; empty for any.
        packages: import names of what it needs beyond the core.
        factory: makes it; may raise EncoderError.
    """

    name: str
    summary: str
    needs_weights: bool
    modalities: tuple[str, ...]
    packages: tuple[str, ...]
    factory: Factory

    def missing(self, options: EncoderOptions | None = None) -> list[str]:
        """What this machine lacks to make the encoder, each with how to get it."""
        packages = [
            f"package {package} (pip install {package})"
            for package in self.packages
            if importlib.util.find_spec(package) is None
        ]
        path = options.weights if options else None
        if self.needs_weights and path is None:
            return [*packages, "weights (set the path of a local safetensors file)"]
        if self.needs_weights and path is not None and not path.is_file():
            return [*packages, f"weights file {path} (put it there or correct the path)"]
        return packages


@dataclass(frozen=True)
class CheckedEncoder:
    """An encoder whose every answer is checked before anyone stores it."""

    inner: Encoder

    @property
    def space(self) -> Space:
        """What this encoder's vectors mean."""
        return self.inner.space

    def embed(self, images: Sequence[GrayscaleImage]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), each of unit length.

        Raises:
            EncoderError: a vector is not finite, of another length or of the wrong shape.
        """
        expected = (len(images), self.space.dimension)
        if not images:
            return np.zeros(expected, np.float32)
        vectors = np.asarray(self.inner.embed(images), dtype=np.float32)
        name = self.space.encoder
        if vectors.shape != expected:
            raise EncoderError(f"{name} gave vectors of shape {vectors.shape}, not {expected}")
        if not np.isfinite(vectors).all():
            raise EncoderError(f"{name} gave a vector with NaN or infinity; check its weights")
        lengths = np.linalg.norm(vectors, axis=1)
        if np.abs(lengths - 1).max() > UNIT_LENGTH_TOLERANCE:
            raise EncoderError(f"{name} gave a vector of length {lengths.min():.3g}, not 1")
        return vectors


_ENTRIES: dict[str, Entry] = {}


def register(
    name: str,
    *,
    summary: str,
    needs_weights: bool = False,
    modalities: Sequence[str] = (),
    packages: Sequence[str] = (),
) -> Callable[[Factory], Factory]:
    """Enter a factory under a name. Heavy imports belong inside the factory.

    Raises:
        ValueError: the name is taken.
    """
    if name in _ENTRIES:
        raise ValueError(f"an encoder is already registered as {name!r}")

    def enter(factory: Factory) -> Factory:
        _ENTRIES[name] = Entry(
            name, summary, needs_weights, tuple(modalities), tuple(packages), factory
        )
        return factory

    return enter


def entries() -> tuple[Entry, ...]:
    """All registered encoders, by name."""
    return tuple(_ENTRIES[name] for name in sorted(_ENTRIES))


def create(name: str, options: EncoderOptions | None = None) -> Encoder:
    """Make an encoder; this loads its weights.

    Raises:
        EncoderError: the name is unknown, something it needs is missing, or it cannot load.
    """
    options = options or EncoderOptions()
    entry = _ENTRIES.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, _ENTRIES) or sorted(_ENTRIES)
        raise EncoderError(f"there is no encoder {name!r}; did you mean {', '.join(near)}?")
    missing = entry.missing(options)
    if missing:
        raise EncoderError(f"encoder {name} lacks {'; '.join(missing)}")
    return CheckedEncoder(entry.factory(options))


# The factories import their modules when called: `likeness encoders list` needs no torch.


@register(
    "baseline",
    summary="hand-made descriptor of gray levels and gradients, no weights, CPU",
)
def _baseline(options: EncoderOptions) -> Encoder:  # noqa: ARG001 - factories share a signature
    from encoders.baseline_encoder import BaselineEncoder  # noqa: PLC0415 - see above

    return BaselineEncoder()


@register(
    "monai-densenet121",
    summary="MONAI's DenseNet-121 with weights from a local safetensors file, CPU or GPU",
    needs_weights=True,
    packages=("torch", "monai", "safetensors"),
)
def _densenet(options: EncoderOptions) -> Encoder:
    from encoders.densenet import load_densenet  # noqa: PLC0415 - see above

    return load_densenet(options)

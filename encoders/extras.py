"""Optional libraries: whether they are here, and why one that is here cannot be imported."""

import importlib
import importlib.util
from types import ModuleType

from encoders.encoder import EncoderError


def absent(package: str) -> bool:
    """Whether Python finds no such package; nothing is imported."""
    return importlib.util.find_spec(package) is None


def lack_of(package: str, wanted: str) -> str:
    """What to say of a package that is not here: its import name and what to install."""
    return f"package {package} (pip install {wanted!r})"


def imported(package: str, wanted: str) -> ModuleType:
    """The package, imported.

    Args:
        package: its import name.
        wanted: what to install for it.

    Raises:
        EncoderError: it is not here, or it is but its import fails; the message says why.
    """
    if absent(package):
        raise EncoderError(f"there is no {lack_of(package, wanted)}")
    try:
        return importlib.import_module(package)
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        # torchvision built for another torch fails in any of these ways, and takes timm with it
        raise EncoderError(
            f"package {package} is here but cannot be imported "
            f"({type(error).__name__}: {error}){_torchvision_hint(str(error))}"
        ) from error


def _torchvision_hint(reason: str) -> str:
    if "torchvision" not in reason:
        return ""
    return (
        "; torchvision must be the build that belongs to this torch: install both from one index "
        "(https://pytorch.org/get-started/locally)"
    )

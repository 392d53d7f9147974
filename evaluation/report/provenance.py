"""What a report was made with: when, by which command, where, and with which versions."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

DISTRIBUTIONS = {
    "likeness": ("likeness-node",),
    "torch": ("torch",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "numpy": ("numpy",),
    "scikit-learn": ("scikit-learn",),
    "scipy": ("scipy",),
}
"""What each package may be called where it is installed."""


@dataclass(frozen=True)
class Provenance:
    """What somebody else needs to make the same report.

    Attributes:
        made: date and time, as the caller tells it.
        command: the command line.
        seed: of every draw.
        machine: processor, cores, system; not the host's name.
        versions: of the packages that a figure may depend on.
    """

    made: str
    command: str
    seed: int
    machine: str
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))


def provenance(made: str, command: str, seed: int) -> Provenance:
    """Of this process."""
    return Provenance(made, command, seed, _machine(), _versions())


def _machine() -> str:
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name, distributions in DISTRIBUTIONS.items():
        found[name] = next(
            (number for one in distributions if (number := _version(one))), "not installed"
        )
    return found


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""

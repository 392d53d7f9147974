"""What a figure was made with: the machine, the versions, and the command, as Markdown lines."""

import os
import platform
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "monai", "numpy", "pydicom", "pynetdicom", "highdicom", "faiss-cpu")


def provenance(module: str) -> dict[str, str]:
    """Return the run's machine, system, versions and command line, each by its name."""
    return {
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory()}",
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "versions": ", ".join((f"Python {platform.python_version()}", *_versions())),
        "load average when it began": f"{os.getloadavg()[0]:.2f}",
        "command": f"`python -m {shlex.join((module, *sys.argv[1:]))}`",
    }


def as_list(told: dict[str, str]) -> Iterator[str]:
    """Yield a Markdown list, a line for each entry."""
    return (f"- {name}: {value}" for name, value in told.items())


def _versions() -> Iterator[str]:
    return (f"{name} {version(name)}" for name in PACKAGES)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"

# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script that Orthanc's option ``PythonScript`` names.

It loads the files beside it as one package, wherever they lie, and puts nothing on Orthanc's
``sys.path``: in a folder of installed packages that would let Orthanc's interpreter find them all.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import orthanc

PACKAGE = "orthanc_plugin"


def _load_package(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} does not hold the files of the Likeness plug-in")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


_load_package(Path(__file__).resolve().parent)

from orthanc_plugin.plugin import start  # noqa: E402 - it can be found from here on

plugin = start(orthanc)

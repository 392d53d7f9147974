"""Encoders that come with Likeness: trained here, weights in the package, nothing to fetch.

Each is a folder of ``encoders.own`` with its model card; docs/training.md tells how to make it
again.
"""

from pathlib import Path

from encoders import own
from encoders.declaration import Declaration
from encoders.folders.told import TOLD, declaration_of, read_told

FOLDER = Path(own.__file__).parent


def _declared(folder: Path) -> Declaration:
    return declaration_of(read_told(folder), folder)


DECLARATIONS = tuple(_declared(told.parent) for told in sorted(FOLDER.glob(f"*/{TOLD}")))

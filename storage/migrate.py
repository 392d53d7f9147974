"""Brings the database to this version's schema, one node at a time."""

import logging
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from storage.database import DatabaseError

log = logging.getLogger(__name__)


def migration_config(engine: Engine) -> Config:
    """Alembic's configuration for ``engine``, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Runs the migrations that the database has not seen; waits for another node that is doing so.

    Raises:
        DatabaseError: the database was made by a newer version of Likeness.
    """
    try:
        command.upgrade(migration_config(engine), "head")
    except CommandError as fault:
        raise DatabaseError(
            f"the database's schema is unknown to this version ({fault}). It was probably made "
            "by a newer Likeness: install that version, or restore the matching backup."
        ) from fault

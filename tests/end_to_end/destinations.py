"""Archives that reports are sent to, that die and come back, and the account afterwards.

Each is DCMTK's storescp, which keeps an object as a file named after its SOP Instance UID.
"""

import random
import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from sqlalchemy import select

from dicom_node.database import open_database
from dicom_node.settings_file import load_settings
from storage.tables import Report, Send
from tests.conftest import find_free_port
from tests.end_to_end.running import Node, dcmtk
from tests.waiting import wait_until


@dataclass
class Destination:
    """One archive: a peer of the node's settings, by its name."""

    name: str
    folder: Path
    port: int = field(default_factory=find_free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def entry(self) -> str:
        """Its lines in the node's settings."""
        return (
            f'[[peers]]\nname = "{self.name}"\nae_title = "{self.name.upper()}"\n'
            f'host = "127.0.0.1"\nport = {self.port}\n'
        )

    def start(self) -> None:
        """Starts it, on what it has already."""
        self.folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [dcmtk("storescp"), "-od", str(self.folder), str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def holds(self, dicom: bytes) -> bool:
        """Whether the object is here, complete and unchanged."""
        sent = pydicom.dcmread(BytesIO(dicom))
        paths = list(self.folder.glob(f"*.{sent.SOPInstanceUID}"))
        try:
            return len(paths) == 1 and bool(pydicom.dcmread(paths[0]) == sent)
        except (InvalidDicomError, EOFError):  # it died while it wrote
            return False


def settings_of(destinations: Sequence[Destination], callers: Sequence[str]) -> str:
    """The first of the destinations gets the reports on what ``callers`` send, the others all."""
    first, *others = destinations
    names = ", ".join(f'"{entry.name}"' for entry in others)
    senders = (
        f'[[peers]]\nname = "{caller}"\nae_title = "{caller}"\nreports_to = "{first.name}"\n'
        for caller in callers
    )
    return "\n".join([f"[report]\nsend_to = [{names}]", *senders, *(d.entry for d in destinations)])


@dataclass
class Killer:
    """Kills at random moments, now the node, now one of the destinations, and starts it again."""

    node: Node
    destinations: Sequence[Destination]
    rng: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self, *, node_within_s: float, destination_within_s: float) -> None:
        """One kill: of the node every third time or so."""
        victim = self.rng.choice([None, *self.destinations])
        within_s = node_within_s if victim is None else destination_within_s
        threading.Event().wait(self.rng.uniform(0, within_s))
        if victim is None:
            self.node.kill_all()
            self.node.launch()
            self.kills["node"] += 1
        else:
            victim.kill()
            threading.Event().wait(self.rng.uniform(0, 0.5))
            victim.start()
            self.kills["destination"] += 1


@dataclass(frozen=True)
class Delivered:
    """What became of the reports that were made."""

    reports: int
    objects: int
    missing: Sequence[str]
    unknown: Sequence[str]

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return [*self.missing, *self.unknown]


def wait_until_delivered(node: Node, timeout_s: float) -> None:
    """Waits until no send is left to do."""
    settings = load_settings(node.settings, {})
    with open_database(settings) as engine:

        def done() -> bool:
            with engine.connect() as connection:
                states = connection.execute(select(Send.state).distinct()).scalars()
                return set(states) <= {"done", "failed"}

        wait_until(done, "all reports to be sent", timeout_s)


def account(node: Node, destinations: Sequence[Destination]) -> Delivered:
    """Compares the reports in the node's database with the files of the destinations."""
    settings = load_settings(node.settings, {})
    missing, made, reports = [], set(), 0
    with open_database(settings) as engine, engine.connect() as connection:
        rows = connection.execute(
            select(Report.dicom, Report.picture_dicom, Report.sop_instance_uid).execution_options(
                yield_per=20
            )
        )
        for dicom, picture, uid in rows:
            reports += 1
            for place in destinations:
                for what, data in (("report", dicom), ("picture", picture)):
                    if data is not None and not place.holds(data):
                        missing.append(f"{what} of {uid} is not in {place.name}")
            made |= {pydicom.dcmread(BytesIO(d)).SOPInstanceUID for d in (dicom, picture) if d}
    found = [path for place in destinations for path in place.folder.iterdir()]
    strange = [str(path) for path in found if path.name.partition(".")[2] not in made]
    return Delivered(reports, len(found), missing, strange)

"""Four DCMTK senders at once, a node that is killed under them, and the account afterwards.

The account is drawn from outside: what storescu says was acknowledged, against the rows of
PostgreSQL, the files of the spool and ``likeness verify``.
"""

import os
import random
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from sqlalchemy import Engine, func, select

from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.settings_file import load_settings
from storage import studies
from storage.tables import Embedding, Instance, Series, Study
from tests.dicom_node.objects import radiograph, written
from tests.end_to_end.running import Node, dcmtk
from tests.waiting import wait_until

SLICES = 8
_SENT = re.compile(r"Sending file: (?P<path>\S+)|Received Store Response \((?P<answer>[^)]*)\)")


def make_study(folder: Path, number: int) -> list[Path]:
    """A radiograph or, each fourth time, a CT series; small, and unlike any made before."""
    study = generate_uid(prefix=None)
    folder.mkdir(parents=True)
    if number % 4:
        images = [radiograph(generate_uid(prefix=None), study=study, PatientID=f"P{study[-9:]}")]
    else:
        images = [_slice(study, place) for place in range(SLICES)]
    return [written(folder / f"{place}.dcm", image) for place, image in enumerate(images)]


def _slice(study: str, place: int) -> Dataset:
    return radiograph(
        generate_uid(prefix=None),
        study=study,
        PatientID=f"P{study[-9:]}",
        SOPClassUID=CTImageStorage,
        Modality="CT",
        ViewPosition=None,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        ImagePositionPatient=[0, 0, 5 * place],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
        FrameOfReferenceUID=f"{study}.2",
        InstanceNumber=place + 1,
        RescaleIntercept=-1024,
        RescaleSlope=1,
    )


class Sender(threading.Thread):
    """Sends study after study with storescu, each again until all of it was acknowledged.

    It rests for ``rest_s`` after each study.
    """

    def __init__(self, name: str, port: int, folder: Path, *, rest_s: float = 0.0) -> None:
        super().__init__(name=name, daemon=True)
        self._port = port
        self._folder = folder
        self._rest_s = rest_s
        self._stop_asked = threading.Event()
        self.acknowledged: Counter[Path] = Counter()
        """How often each file was answered with Success."""
        self.studies = 0

    def stop(self) -> None:
        """Asks it to end after the study at hand, and waits for that."""
        self._stop_asked.set()
        self.join(300)
        assert not self.is_alive(), f"{self.name} could not finish its study"

    def run(self) -> None:
        """Until told to stop."""
        pause = threading.Event()
        while not self._stop_asked.is_set():
            files = make_study(self._folder / f"{self.studies}", self.studies)
            while not all(self.acknowledged[path] for path in files):
                if not self._send(files):
                    pause.wait(0.1)
            self.studies += 1
            self._stop_asked.wait(self._rest_s)

    def _send(self, files: Sequence[Path]) -> bool:
        """One run of storescu; True if it got through to the end."""
        done = subprocess.run(
            [
                *(dcmtk("storescu"), "-v", "-aet", self.name, "-aec", "LIKENESS"),
                *("-to", "5", "-ta", "30", "-td", "30"),
                *("127.0.0.1", str(self._port), *map(str, files)),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        sending = None
        for found in _SENT.finditer(done.stdout + done.stderr):
            if found["path"]:
                sending = Path(found["path"])
            elif found["answer"] == "Success" and sending is not None:
                self.acknowledged[sending] += 1
        return done.returncode == 0


@dataclass
class Storm:
    """Senders at work on a node; ``kills`` counts what was done to it."""

    node: Node
    senders: Sequence[Sender]
    rng: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    @classmethod
    def over(
        cls, node: Node, folder: Path, *, senders: int = 4, seed: int = 1, rest_s: float = 0.0
    ) -> "Storm":
        """Starts the senders; the node may be started already or not."""
        crew = [
            Sender(f"STORM{place}", node.port, folder / str(place), rest_s=rest_s)
            for place in range(senders)
        ]
        for sender in crew:
            sender.start()
        return cls(node, crew, random.Random(seed))

    def kill_node(self, *, within_s: float) -> None:
        """Kills the whole node at a random moment after it was started, and starts it again."""
        threading.Event().wait(self.rng.uniform(0.0, within_s))
        self.node.kill_all()
        self.kills["node"] += 1
        self.node.launch()

    def kill_postgres(self, *, within_s: float) -> None:
        """Kills the server's first process at a random moment; the node is left to itself."""
        threading.Event().wait(self.rng.uniform(0.0, within_s))
        for process in postmasters(self.node.folder):
            process.kill()
            self.kills["PostgreSQL"] += 1

    def stop(self) -> None:
        """Lets every sender finish its study."""
        for sender in self.senders:
            sender.stop()

    @property
    def acknowledged(self) -> set[Path]:
        """The files that were answered with Success at least once."""
        return {path for sender in self.senders for path, n in sender.acknowledged.items() if n}


def postmasters(folder: Path) -> list[psutil.Process]:
    """The first process of the PostgreSQL server in a node's folder, if it runs."""
    pid_file = folder / "data" / "postgres" / "postmaster.pid"
    try:
        return [psutil.Process(int(pid_file.read_text().splitlines()[0]))]
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return []


@dataclass(frozen=True)
class Account:
    """What became of what was acknowledged; all but the first three must be empty."""

    acknowledged: int
    studies: int
    embeddings: int
    not_searchable: Sequence[str]
    wrong_count_of_embeddings: Sequence[str]
    files_without_row: Sequence[str]
    rows_without_file: Sequence[str]

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return [
            *(f"acknowledged, not searchable: {uid}" for uid in self.not_searchable),
            *(f"embedded twice or not: {uid}" for uid in self.wrong_count_of_embeddings),
            *(f"in the spool, not in the database: {name}" for name in self.files_without_row),
            *(f"in the database, not in the spool: {name}" for name in self.rows_without_file),
        ]


def wait_until_settled(node: Node, timeout_s: float) -> None:
    """Waits until all that lies in the spool is recorded, and all that is recorded is worked."""
    settings = load_settings(node.settings, {})
    wait_until(lambda: node.asked("status").returncode == 0, "the database to answer", timeout_s)
    with open_database(settings) as engine:
        wait_until(
            lambda: not _files(settings) - _spool_names(engine) and not _unworked(engine),
            "everything to be recorded and worked",
            timeout_s,
        )


def _files(settings: Settings) -> set[str]:
    spool = settings.data_folder / "spool"
    return {f"{path.parent.name}/{path.name}" for path in spool.glob("*/*.dcm")}


def _unworked(engine: Engine) -> int:
    with engine.connect() as connection:
        states = studies.count_by_state(connection)
    return states.get("open", 0) + states.get("queued", 0)


def draw_account(node: Node, acknowledged: set[Path]) -> Account:
    """Compares the acknowledged files with the node's database and spool; it may be running."""
    import pydicom

    sent = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in acknowledged}
    settings = load_settings(node.settings, {})
    with open_database(settings) as engine:
        searchable, names, counts = _searchable(engine), _spool_names(engine), _embeddings(engine)
    files = _files(settings)
    return Account(
        acknowledged=len(sent),
        studies=len(counts),
        embeddings=sum(counts.values()),
        not_searchable=sorted(sent - searchable),
        wrong_count_of_embeddings=sorted(uid for uid, count in counts.items() if count != 1),
        files_without_row=sorted(files - names),
        rows_without_file=sorted(names - files),
    )


def _searchable(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(Instance.sop_instance_uid)
            .join(Series, Series.id == Instance.series_id)
            .join(Study, Study.id == Series.study_id)
            .where(Study.state == "indexed")
        )
        return set(rows.scalars())


def _spool_names(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        names = connection.execute(select(Instance.spool_name)).scalars()
        return {name for name in names if name is not None}


def _embeddings(engine: Engine) -> dict[str, int]:
    """Live vectors by study; each study here has one representative image."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(Study.study_instance_uid, func.count(Embedding.id))
            .outerjoin(Embedding, (Embedding.study_id == Study.id) & Embedding.retired_at.is_(None))
            .group_by(Study.study_instance_uid)
        )
        return {row[0]: row[1] for row in rows}

"""The worker's process: spawned, it loads torch once and takes studies off the queue.

Nothing here decides what is done with a study; that is ``dicom_node.worker``.
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from dicom_node import index_kinds
from dicom_node.answering import this_device
from dicom_node.changeover.finishing import forget_stale_snapshot
from dicom_node.changeover.start import (
    MustEmbedAgainError,
    encoder_to_work_with,
    stop_when_left,
)
from dicom_node.child_process import Tether, die_with_parent
from dicom_node.identity import device_uid
from dicom_node.kept_images import KeptImages
from dicom_node.logs import configure_logging
from dicom_node.making import declaration_of, summary_of
from dicom_node.network_faults import NetworkLostError
from dicom_node.origins import Origins
from dicom_node.precedence import step_back
from dicom_node.rounds import StoppedWaitingError, when_reached
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.warm_up import warm_up
from dicom_node.worker import Worker
from dicom_node.worker_loop import SpaceChangedError, WorkerLoop
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError
from storage import spaces
from storage.database import connect
from storage.outages import OUTAGES
from storage.spaces import Maker
from storage.vectors.gpu import NoGpuError

log = logging.getLogger(__name__)


def main(tether: Tether, settings: Settings, database_url: str) -> None:
    """Entry of the spawned process; it is ready with its encoder, and waits for its database.

    It ends by itself when another space is taken into use: the next one has that one's encoder.
    """
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    die_with_parent()
    if settings.work.receiving_first:
        step_back()
    try:
        _work(tether, settings, database_url)
    except StoppedWaitingError:
        return
    except SpaceChangedError as changed:
        log.info("the worker ends: %s", changed)
    except NetworkLostError as lost:
        log.error("the worker ends, for another to be started: %s", lost)
        sys.exit(1)
    except (EncoderError, NoGpuError) as fault:
        log.error("the worker cannot work: %s", fault)
        sys.exit(1)


def _work(tether: Tether, settings: Settings, database_url: str) -> None:
    engines = _Engines(database_url)

    def start(asked: Settings = settings) -> CheckedEncoder:
        node = device_uid(settings.data_folder)
        return encoder_to_work_with(engines.get(), asked, node=node)

    encoder, left_space = None, ""
    try:
        encoder = ready_with(lambda: start(_uncompiled(settings)), tether)
        if encoder is not None and settings.encoder.compile:
            log.info("the encoder is compiled, which takes minutes; studies wait in the queue")
            encoder = None  # its memory is for the one that is compiled
            encoder = when_reached("worker", start, tether.stop)
    except MustEmbedAgainError as waits:
        log.warning("the worker waits: %s", waits)
        left_space = waits.in_use
    if left_space:
        stop_when_left(engines.get(), left_space, tether.stop, only_while_wanted=True)
    if encoder is None:
        return
    worker = when_reached(
        "worker", lambda: start_worker(engines.get(), settings, encoder), tether.stop
    )
    changed = threading.Thread(
        target=stop_when_left, args=(worker.engine, worker.space.id, tether.stop), name="space"
    )
    changed.start()
    try:
        with WorkerLoop(worker) as loop:
            loop.run(tether.stop)
    finally:
        tether.stop.set()
        changed.join()


def _uncompiled(settings: Settings) -> Settings:
    """For an encoder that is made in seconds, so that the node soon knows whether there is one.

    What is compiled takes minutes, in which a node that waited for it would look after nothing.
    """
    plain = settings.encoder.model_copy(update={"compile": False})
    return settings.model_copy(update={"encoder": plain})


@dataclass
class _Engines:
    """One engine, made as soon as the database can be reached."""

    database_url: str
    engine: Engine | None = None

    def get(self) -> Engine:
        """The engine.

        Raises:
            DatabaseError: the database cannot be used, or not yet.
        """
        if self.engine is None:
            self.engine = connect(self.database_url)
        return self.engine


def ready_with(start: Callable[[], CheckedEncoder], tether: Tether) -> CheckedEncoder | None:
    """The encoder, once the node knows that there will be one; None if there is none.

    Which one it is stands in the database. The node has reached that before; should it be away
    again, that is no reason for the node not to start.

    Raises:
        MustEmbedAgainError: the archive must be embedded again first.
        StoppedWaitingError: the node is to end.
    """
    try:
        encoder = start()
    except (EncoderError, ValueError) as fault:
        tether.ready.send(str(fault))
        return None
    except MustEmbedAgainError:
        tether.ready.send("")
        raise
    except OUTAGES:
        tether.ready.send("")
        return when_reached("worker", start, tether.stop)
    tether.ready.send("")
    return encoder


def start_worker(
    engine: Engine, settings: Settings, encoder: CheckedEncoder | None = None
) -> Worker:
    """Opens the index of the encoder's space, and warms up.

    Where no encoder is given, the one to work with is loaded.

    Raises:
        MustEmbedAgainError: the archive must be embedded again first.
        EncoderError: the encoder cannot be made here; the message says what is missing.
    """
    node = device_uid(settings.data_folder)
    encoder = encoder or encoder_to_work_with(engine, settings, node=node)
    space = summary_of(encoder.space)
    with engine.connect() as connection:
        known = spaces.known_in_use(connection)
        if known is not None:
            forget_stale_snapshot(settings, known)
    index = index_kinds.owner(engine, settings, space, node=node)
    log.info("encoder %s, space %s", space.encoder, space.id)
    warm_up(encoder, space, this_device(node, settings), settings.report)
    return Worker(
        engine=engine,
        spool=Spool(settings.data_folder),
        encoder=encoder,
        space=space,
        index=index,
        origins=Origins(declaration_of(space, Maker() if known is None else known.maker)),
        kept=KeptImages(
            settings.kept_images_folder, most_bytes=int(settings.encoder.kept_images_gb * 1e9)
        ),
        settings=settings,
        node=node,
    )

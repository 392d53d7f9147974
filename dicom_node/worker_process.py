"""The worker's process: spawned, it loads torch once and takes studies off the queue.

Nothing here decides what is done with a study; that is ``dicom_node.worker``.
"""

import dataclasses
import logging
import signal

from sqlalchemy import Engine

from dicom_node.answering import this_device
from dicom_node.asking import encoder_options
from dicom_node.child_process import Tether, die_with_parent
from dicom_node.identity import device_uid
from dicom_node.logs import configure_logging
from dicom_node.precedence import step_back
from dicom_node.rounds import StoppedWaitingError, when_reached
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.warm_up import warm_up
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError
from encoders.pixel_reader import PixelReader
from encoders.registry import create
from encoders.space import Space
from storage import spaces
from storage.answer import SpaceSummary
from storage.database import connect
from storage.index import open_index

log = logging.getLogger(__name__)


def main(tether: Tether, settings: Settings, database_url: str) -> None:
    """Entry of the spawned process; it is ready with its encoder, and waits for its database."""
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    die_with_parent()
    if settings.work.receiving_first:
        step_back()
    try:
        encoder = create(settings.encoder.name, encoder_options(settings))
    except (EncoderError, ValueError) as fault:
        tether.ready.send(str(fault))
        return
    tether.ready.send("")
    try:
        worker = when_reached(
            "worker", lambda: start_worker(connect(database_url), settings, encoder), tether.stop
        )
    except StoppedWaitingError:
        return
    with worker.reader:
        WorkerLoop(worker).run(tether.stop)


def start_worker(
    engine: Engine, settings: Settings, encoder: CheckedEncoder | None = None
) -> Worker:
    """Opens the index of the encoder's space, caught up with the database, and warms up.

    The encoder of the settings is loaded where none is given.

    Raises:
        EncoderError: the encoder cannot be made here; the message says what is missing.
    """
    encoder = encoder or create(settings.encoder.name, encoder_options(settings))
    space = summary_of(encoder.space)
    with engine.begin() as connection:
        spaces.use(connection, space)
        index = open_index(connection, settings.index_folder, space)
    log.info("encoder %s, space %s, %d vectors", space.encoder, space.id, index.count)
    node = device_uid(settings.data_folder)
    warm_up(encoder, space, this_device(node, settings), settings.report)
    return Worker(
        engine=engine,
        spool=Spool(settings.data_folder),
        reader=PixelReader(),
        encoder=encoder,
        space=space,
        index=index,
        settings=settings,
        node=node,
    )


def summary_of(space: Space) -> SpaceSummary:
    """The encoder's space as storage and reports know it."""
    return SpaceSummary(id=space.id, **dataclasses.asdict(space))

"""The way of a study, top to bottom: from its files in the spool to the report on its way back."""

from dataclasses import dataclass

from sqlalchemy import Engine

from dicom_node import answering
from dicom_node.reading import read_study
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.checked import CheckedEncoder
from encoders.pixel_reader import PixelReader
from storage import embeddings, studies, study_work
from storage.answer import SpaceSummary
from storage.index import VectorIndex
from storage.queue import JOBS


@dataclass(frozen=True)
class Worker:
    """What the work on a study needs: loaded once, used for every study."""

    engine: Engine
    spool: Spool
    reader: PixelReader
    encoder: CheckedEncoder
    space: SpaceSummary
    index: VectorIndex
    settings: Settings
    node: str

    def work(self, job_id: int, study_id: int) -> None:
        """Embeds a closed study, makes it searchable, and answers whoever asked.

        A study that came only from peers whose rule is "answer" is not made searchable.

        Raises:
            UnworkableStudyError: no image of the study can stand for it; trying again is no use.
        """
        with self.engine.connect() as connection:
            study = studies.load(connection, study_id)  # before its instances: see answer_senders
            instances = study_work.instances(connection, study_id, node=self.node)
            callers = study_work.callers(connection, study_id)
            made = embeddings.made_of_the_same(connection, self.space.id, study_id)
        to_be_found = any(self.settings.indexes(caller) for caller in callers)

        read = read_study(self.spool, instances, self.reader, made if to_be_found else {})
        new = read.embeddings(self.encoder)  # of the middle slice, after LUTs and polarity

        with self.engine.begin() as connection:
            if study_work.is_superseded(connection, study_id, job_id=job_id):
                JOBS.done(connection, job_id)
                return
            embeddings.replace(
                connection,
                space=self.space,
                study_id=study_id,
                new=new if to_be_found else [],
                keep=read.kept,
            )
            study_work.keep_reasons(connection, study_id, read.left_out)

        with self.engine.begin() as connection:
            self.index.catch_up(connection)
            answering.answer_senders(  # search, report, queue the sends
                connection,
                study,
                index=self.index,
                space=self.space,
                settings=self.settings,
                node=self.node,
                images=None if to_be_found else new,
            )
            study_work.mark_worked(connection, study_id, job_id=job_id, to_be_found=to_be_found)
            JOBS.done(connection, job_id)

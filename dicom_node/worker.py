"""The way of a study, top to bottom: from its files in the spool to the report on its way back."""

from dataclasses import dataclass

from sqlalchemy import Engine

from dicom_node import answering
from dicom_node.reading import read_study
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.encoder import Encoder
from encoders.pixel_reader import PixelReader
from storage import embeddings, studies
from storage.answer import SpaceSummary
from storage.index import VectorIndex
from storage.queue import JOBS


@dataclass(frozen=True)
class Worker:
    """What the work on a study needs: loaded once, used for every study."""

    engine: Engine
    spool: Spool
    reader: PixelReader
    encoder: Encoder
    space: SpaceSummary
    index: VectorIndex
    settings: Settings
    node: str

    def work(self, job_id: int, study_id: int) -> None:
        """Embeds a closed study, makes it searchable, and answers whoever asked.

        Raises:
            UnworkableStudyError: no image of the study can stand for it; trying again is no use.
        """
        with self.engine.connect() as connection:
            instances = studies.instances(connection, study_id)

        read = read_study(self.spool, instances, self.reader)  # middle slice, LUTs, polarity
        vectors = self.encoder.embed([image.pixels for image in read.images])
        new = read.embeddings(vectors, self.encoder)

        with self.engine.begin() as connection:
            embeddings.replace(connection, space=self.space, study_id=study_id, new=new)
            studies.keep_reasons(connection, read.left_out)

        with self.engine.begin() as connection:
            self.index.catch_up(connection)
            answering.answer_sender(  # search, report, queue the send
                connection,
                study_id,
                index=self.index,
                space=self.space,
                settings=self.settings,
                node=self.node,
            )
            studies.mark_indexed(connection, study_id)
            JOBS.done(connection, job_id)

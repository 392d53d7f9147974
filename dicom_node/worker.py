"""The way of a study, top to bottom: from its files in the spool to the report on its way back.

Each step is done by threads of its own, on several studies at a time: ``dicom_node.stages``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.engine import Connection

from dicom_node import answering
from dicom_node.in_hand import ReadImage, StudyInHand, jobs_of
from dicom_node.index_kinds import IndexOwner
from dicom_node.kept_images import KeptImages
from dicom_node.making import named
from dicom_node.origins import Origins
from dicom_node.reading import ChosenFile, choose, reference_of
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.checked import CheckedEncoder
from encoders.picture import to_png
from encoders.pixel_reader import PixelReader
from storage import embeddings, spaces, study_work
from storage.answer import SpaceSummary
from storage.embeddings import NewEmbedding
from storage.queue import JOBS

LONGEST_PICTURE_SIDE = 512


class SpaceChangedError(Exception):
    """The archive answers by another space now: work goes on with that one's encoder."""


@dataclass(frozen=True)
class Worker:
    """What the work on a study needs: loaded once, used for every study."""

    engine: Engine
    spool: Spool
    encoder: CheckedEncoder
    space: SpaceSummary
    index: IndexOwner
    origins: Origins
    kept: KeptImages
    settings: Settings
    node: str

    def take(self, jobs: Sequence[Row[*tuple[Any, ...]]]) -> list[StudyInHand]:
        """Looks up closed studies, and chooses the images that stand for each.

        One that came only from peers whose rule is "answer" is not made searchable.
        """
        by_study = {job.study_id: job for job in jobs}
        with self.engine.connect() as connection:
            taken = study_work.take(connection, list(by_study), node=self.node)
            made = embeddings.made_of_the_same(connection, self.space.id, list(by_study))
        studies = []
        for study in taken:
            to_be_found = any(self.settings.indexes(caller) for caller in study.callers)
            standing = made[study.record.id] if to_be_found else {}
            chosen = choose(
                self.spool,
                study.instances,
                standing,
                spread_over=self.settings.volume.spread_over,
            )
            job = by_study[study.record.id]
            studies.append(StudyInHand(job, study.record, to_be_found, chosen))
        return studies

    def read(self, file: ChosenFile, reader: PixelReader) -> ReadImage:
        """Decodes an image, windows it, and makes what its network takes.

        Raises:
            PixelError: the image cannot be read; the others of its study go on.
            ChildProcessError: the reading process failed for a reason that is not the file's.
        """
        window = self.origins.ct_window
        ready = reader.read_ready(file.path, file.chosen.frame, ct_window=window)
        # of the middle slice, after LUTs and polarity
        image = named(ready.image(), file.key, file.chosen.header)
        reference = reference_of(file.chosen, ready.rules)
        picture = b""
        if file.in_set_of is None:  # nobody sees the other slices, and no changeover asks for them
            self.kept.put_soon(file.kept_key(self.origins.window_rule), ready.samples)
            picture = to_png(image, LONGEST_PICTURE_SIDE)
        return ReadImage(reference, picture, file.sha256, self.encoder.prepare(image))

    def infer(self, images: Sequence[ReadImage]) -> list[NewEmbedding]:
        """The vectors of images, of whatever studies, beside their pictures and origins."""
        vectors = self.encoder.infer([image.prepared for image in images])
        return [
            NewEmbedding(image.reference, vector, image.picture, self.origins.of(image))
            for image, vector in zip(images, vectors, strict=True)
        ]

    def write(self, studies: Sequence[StudyInHand]) -> list[StudyInHand]:
        """Makes studies searchable; returns those of which somebody is to have a report.

        Raises:
            UnworkableStudyError: no image of a study can stand for it; trying again is no use.
            SpaceChangedError: vectors of this encoder are not wanted any more.
        """
        with self.writing() as connection:
            old = study_work.superseded(connection, jobs_of(studies))
            JOBS.done(connection, *(study.job.id for study in studies if study.row in old))
            studies = [study for study in studies if study.row not in old]
            vectors = [study.vectors() for study in studies]
            embeddings.replace_all(connection, space=self.space, studies=vectors)
            for study in studies:
                if study.has_reasons:
                    study_work.keep_reasons(connection, study.row, study.left_out())

        if not studies:
            return []
        with self.writing() as connection:
            self.index.catch_up(connection)
            asked = answering.to_be_answered(connection, jobs_of(studies), self.settings)
            self._end(connection, [study for study in studies if study.row not in asked])
        return [study for study in studies if study.row in asked]

    def answer(self, study: StudyInHand) -> None:
        """Answers whoever sent a study that was written."""
        with self.writing() as connection:
            answering.answer_senders(  # search, report, queue the sends
                connection,
                study.record,
                index=self.index.now(connection),
                space=self.space,
                settings=self.settings,
                node=self.node,
                images=None if study.to_be_found else study.embedded(),
            )
            self._end(connection, [study])

    def _end(self, connection: Connection, studies: Sequence[StudyInHand]) -> None:
        for to_be_found in {study.to_be_found for study in studies}:
            jobs = jobs_of(study for study in studies if study.to_be_found is to_be_found)
            study_work.mark_all_worked(connection, jobs, to_be_found=to_be_found)
        JOBS.done(connection, *jobs_of(studies).values())

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction to whose end the archive answers by this worker's space.

        Raises:
            SpaceChangedError: it does not at its beginning.
        """
        with self.engine.begin() as connection:
            if not spaces.hold(connection, self.space.id):
                raise SpaceChangedError(f"space {self.space.id} is not in use any more")
            yield connection

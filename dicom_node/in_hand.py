"""A study while the worker has it in hand, from its job to its vectors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import Row

from dicom_node.reading import ChosenStudy
from dicom_node.slice_sets import with_slices
from encoders.encoder import EncoderError, Prepared
from encoders.image import PixelError
from storage.answer import ImageReference, StudyRecord
from storage.embeddings import NewEmbedding, StudyVectors

LONGEST_REASON = 400


class UnworkableStudyError(Exception):
    """No image of a study can stand for it; the message says why, image by image."""


@dataclass(frozen=True)
class ReadImage:
    """An image that was chosen and read: what names it, and what its network takes.

    ``picture`` is a PNG of it as the encoder sees it, empty for a slice that is read for a set
    only, ``sha256`` the digest of its data set.
    """

    reference: ImageReference
    picture: bytes
    sha256: str
    prepared: Prepared


@dataclass
class StudyInHand:
    """A study, and how far the work on it is.

    Attributes:
        job: the claimed row.
        record: the study as it was when the work began.
        to_be_found: False for a study that came only from peers whose rule is "answer".
        chosen: which images stand for it.
        unread: why files that were chosen could not be read, by SOP Instance UID.
        new: its vectors, by their number in ``chosen.to_read``.
        without: why slices are not in the set of their series, by the same number.
        since: when the work began, by the monotonic clock.
        unfinished: files that have neither a vector nor a reason yet.
        fault: what the work ended with, if anything.
        given_back: its job is no longer ours, so nothing of it may be written.
    """

    job: Row[*tuple[Any, ...]]
    record: StudyRecord
    to_be_found: bool
    chosen: ChosenStudy
    unread: dict[str, str] = field(default_factory=dict)
    new: dict[int, NewEmbedding] = field(default_factory=dict)
    without: dict[int, str] = field(default_factory=dict)
    since: float = field(default_factory=monotonic)
    unfinished: int = 0
    fault: Exception | None = None
    given_back: bool = False

    @property
    def is_over(self) -> bool:
        """Whether more work on it would be thrown away."""
        return self.given_back or self.fault is not None

    def fail(self, fault: Exception) -> None:
        """Ends the work on it; the first fault counts."""
        self.fault = self.fault or fault

    def blame(self, fault: Exception, number: int) -> None:
        """What a fault of one of its files means: the set of a series goes on without a slice."""
        is_slice = number >= len(self.chosen.files)
        if is_slice and isinstance(fault, PixelError | EncoderError):
            self.without[number] = str(fault)
        elif isinstance(fault, PixelError):
            self.unread[self.chosen.files[number].uid] = str(fault)
        else:
            self.fail(fault)

    @property
    def row(self) -> int:
        """The study's row."""
        return self.record.id

    def embedded(self) -> list[NewEmbedding]:
        """The new vectors of its files, in their order, with the sets of their series."""
        return with_slices(self.chosen, self.new, self.without)

    def vectors(self) -> StudyVectors:
        """The vectors that it is to have from now on.

        Raises:
            UnworkableStudyError: it has none.
        """
        new = self.embedded()
        if not new and not self.chosen.kept:
            raise UnworkableStudyError(_why_none(self.left_out()))
        return StudyVectors(self.row, new if self.to_be_found else [], self.chosen.kept)

    def left_out(self) -> Mapping[str, str]:
        """Why each instance without a vector has none."""
        return {**self.chosen.left_out, **self.unread}

    @property
    def has_reasons(self) -> bool:
        """Whether reasons are to be written beside its instances, or taken away."""
        return self.chosen.was_told or bool(self.left_out())


def jobs_of(studies: Iterable[StudyInHand]) -> dict[int, int]:
    """The rows of jobs by those of their studies."""
    return {study.row: study.job.id for study in studies}


def _why_none(left_out: Mapping[str, str]) -> str:
    counts: dict[str, int] = {}
    for reason in left_out.values():
        counts[reason] = counts.get(reason, 0) + 1
    each = "; ".join(f"{count} x {reason}" for reason, count in counts.items())
    return f"no image to embed: {each}"[:LONGEST_REASON]

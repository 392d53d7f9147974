"""Where the pixels of an image come from that is embedded again: spool, kept images, archive."""

import shutil
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import numpy as np

from dicom_node.changeover.originals import Originals, frame_index
from dicom_node.kept_images import KeptImages, KeptKey
from dicom_node.part10 import dataset_digest
from dicom_node.retrieving.retriever import (
    RetrieveError,
    Retriever,
    RetrieverAwayError,
    WantedInstance,
)
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.declaration import Declaration
from encoders.image import GrayscaleImage, PixelError
from encoders.model_ready import from_model_ready
from encoders.pixel_reader import PixelReader
from encoders.precomputed import THE_FILES_OWN
from storage.changeover import MissingImage

GONE = "its file is gone from the spool (spool.keep_days)"
NOT_KEPT = "it is not among the kept images (encoder.kept_images_gb)"
NOWHERE_TO_ASK = "encoder.fetch_from names nobody to fetch it from"
CHANGED = "other bytes came under its UID, and its study is not worked yet"
NOT_THE_SAME = "the archive has other pixels under its UID: send it again"
ELSEWHERE = "it was received by another node, whose it is to embed it"

AWAY_S = 60.0
"""How long an archive that gives nothing at present is left alone."""


class LackingError(Exception):
    """No pixels of an image are to be had; the message says why, source by source.

    ``passing`` is whether they may be later, though nobody sends them again.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True)
class Found:
    """The pixels of an image.

    ``source`` says where they come from. ``has_rules`` is false where nobody said which pixel
    rules made them, ``is_seen`` where the encoder looks at none. ``fetched_sha256`` is the digest
    of the data set that an archive gave, where it is not the recorded one.
    """

    pixels: GrayscaleImage
    source: str
    has_rules: bool = True
    is_seen: bool = True
    fetched_sha256: str | None = None


UNSEEN = Found(GrayscaleImage(np.zeros((1, 1), np.float32)), "none", has_rules=False, is_seen=False)
"""For vectors that were computed elsewhere and are only looked up."""


@dataclass(frozen=True)
class WindowRules:
    """Of the space in use, and of the one that is filled."""

    in_use: str
    wanted: str

    @property
    def same(self) -> bool:
        """Whether images look the same in both."""
        return self.in_use == self.wanted


class Sources:
    """Finds pixels for one node, from one thread; use it as a context manager.

    Args:
        settings: of the node.
        declaration: of the encoder that they are for.
        node: whose spool it is.
        rules: of both spaces.
        originals: what fetched images are compared with; without, only the same bytes are taken.
        stop: set when the node is to end; fetching is broken off then.

    Attributes:
        busy: nodes that still embed what they received, and are left to it.
        running: nodes that run, beside this one: each tells itself what became of its own images.
    """

    def __init__(
        self,
        settings: Settings,
        declaration: Declaration,
        *,
        node: str,
        rules: WindowRules,
        originals: Originals | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._spool = Spool(settings.data_folder)
        self._kept = KeptImages(
            settings.kept_images_folder, most_bytes=int(settings.encoder.kept_images_gb * 1e9)
        )
        self._ct_window = declaration.ct_window
        self._rules = rules
        self._node = node
        self._reader = PixelReader()
        self._fetched = settings.data_folder / "fetched"
        self._retriever: Retriever | None = None
        self._away, self._ask_again_at = "", 0.0
        self._originals = originals
        self._stop = stop
        self.busy: Collection[str] = ()
        self.running: Collection[str] = ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        shutil.rmtree(self._fetched, ignore_errors=True)  # what a killed process left
        self._stack.enter_context(self._reader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        shutil.rmtree(self._fetched, ignore_errors=True)

    def find(self, image: MissingImage) -> Found:
        """The image's pixels, from the first source that has them.

        Raises:
            LackingError: none has.
            ChildProcessError: the reading process failed for a reason that is not a file's.
            OSError: the disk cannot be written.
        """
        if self._rules.wanted == THE_FILES_OWN:
            return UNSEEN
        if image.node in self.busy:
            raise LackingError(ELSEWHERE, passing=True)
        near: list[Callable[[MissingImage], Found]] = [self._among_kept, self._in_spool]
        if not self._rules.same:
            near.reverse()  # a kept image does not say which pixel rules made it
        reasons, passing = [], False
        for way in (*near, self._from_archive):
            try:
                return way(image)
            except LackingError as lacking:
                reasons.append(str(lacking))
                passing |= lacking.passing
        raise LackingError("; ".join(dict.fromkeys(reasons)), passing=passing)

    def _in_spool(self, image: MissingImage) -> Found:
        if image.node != self._node:
            is_away = image.node is not None and image.node not in self.running
            raise LackingError(ELSEWHERE, passing=is_away)
        if image.sha256 not in {None, image.recorded_sha256}:
            raise LackingError(CHANGED)
        path = None if image.spool_name is None else self._spool.path(image.spool_name)
        if path is None or not path.exists():
            raise LackingError(GONE)
        return Found(self._read(path, image), "spool")

    def _read(self, path: Path, image: MissingImage) -> GrayscaleImage:
        """The image in a file; it is kept, so that the next changeover needs no file."""
        frame = frame_index(image)
        try:
            ready = self._reader.read_ready(path, frame, ct_window=self._ct_window)
        except PixelError as fault:
            raise LackingError(str(fault)) from fault
        if (key := self._key(image)) is not None:
            self._kept.put(key, ready.samples)
        return ready.image()

    def _key(self, image: MissingImage) -> KeptKey | None:
        sha256 = image.sha256 or image.recorded_sha256
        if sha256 is None:
            return None
        return KeptKey(sha256, image.image.frame_number, self._rules.wanted)

    def _among_kept(self, image: MissingImage) -> Found:
        key = self._key(image)
        samples = None if key is None else self._kept.get(key)
        if samples is None:
            raise LackingError(NOT_KEPT)
        return Found(GrayscaleImage(from_model_ready(samples)), "kept image", has_rules=False)

    def _from_archive(self, image: MissingImage) -> Found:
        name = self._settings.encoder.fetch_from
        if name is None:
            raise LackingError(NOWHERE_TO_ASK)
        if image.sha256 not in {None, image.recorded_sha256}:
            raise LackingError(CHANGED)
        self._fetched.mkdir(mode=0o700, exist_ok=True)
        path = self._fetch(image)
        try:
            other = self._other_digest(path, image)
            return Found(self._read(path, image), f"fetched from {name}", fetched_sha256=other)
        finally:
            path.unlink(missing_ok=True)

    def _other_digest(self, path: Path, image: MissingImage) -> str | None:
        """The digest of what came, unless it is the recorded one.

        Raises:
            LackingError: it does not show the image that was received.
        """
        digest = dataset_digest(path)
        if digest == (image.sha256 or image.recorded_sha256):
            return None
        if self._originals is None or not self._originals.shows(image, path, self._reader):
            raise LackingError(NOT_THE_SAME)
        return digest

    def _fetch(self, image: MissingImage) -> Path:
        if self._away and monotonic() < self._ask_again_at:
            raise LackingError(self._away, passing=True)
        wanted = WantedInstance(
            study_instance_uid=image.study_instance_uid,
            series_instance_uid=image.image.series_instance_uid,
            sop_class_uid=image.image.sop_class_uid,
            sop_instance_uid=image.image.sop_instance_uid,
        )
        try:
            if self._retriever is None:
                # imported only here: it brings pynetdicom, which most changeovers do without
                from dicom_node.retrieving.opening import open_retriever  # noqa: PLC0415

                self._retriever = self._stack.enter_context(
                    open_retriever(self._settings, stop=self._stop)
                )
            return self._retriever.fetch(wanted, self._fetched)
        except RetrieverAwayError as fault:
            self._away, self._ask_again_at = str(fault), monotonic() + AWAY_S
            raise LackingError(str(fault), passing=True) from fault
        except RetrieveError as fault:
            raise LackingError(str(fault)) from fault

"""Images read in a process of their own, within limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from encoders.bounded_child import RefusedError
from encoders.bounded_process import STALLED_S, BoundedProcess, Limits
from encoders.image import GrayscaleImage, PixelError
from encoders.model_ready import Samples, from_model_ready


@dataclass(frozen=True)
class ModelReady:
    """An image as it is kept: ``samples`` by ``encoders.model_ready``, and which rules fired."""

    samples: Samples
    rules: Mapping[str, Any]

    def image(self) -> GrayscaleImage:
        """What every encoder sees of it."""
        return GrayscaleImage(from_model_ready(self.samples), self.rules)


class PixelReader(BoundedProcess):
    """Reads as ``encoders.grayscale.read_image`` does, in a child process; refuses blank images.

    Use it as a context manager, from one thread at a time.
    """

    def __init__(self, limits: Limits | None = None, *, stalled_s: float = STALLED_S) -> None:
        super().__init__("encoders.pixel_process", limits, stalled_s=stalled_s)

    def read(
        self,
        path: Path,
        frame: int | None = None,
        *,
        ct_window: tuple[float, float] | None = None,
    ) -> GrayscaleImage:
        """Read one image as every encoder sees it; arguments and faults as for ``read_ready``."""
        return self.read_ready(path, frame, ct_window=ct_window).image()

    def read_ready(
        self,
        path: Path,
        frame: int | None = None,
        *,
        ct_window: tuple[float, float] | None = None,
    ) -> ModelReady:
        """Read one image as it is kept.

        Args:
            path: a DICOM file.
            frame: index from 0; None takes the only frame, or the middle one.
            ct_window: centre and width in HU that a CT is shown in, instead of its own.

        Raises:
            PixelError: the image cannot be read or is blank, a decoder died on it, or it went over
                a limit.
            ChildProcessError: as for ``BoundedProcess.ask``.
        """
        try:
            said, data = self.ask([str(path), frame, ct_window], about=path)
        except RefusedError as fault:
            raise PixelError(str(fault)) from fault
        return ModelReady(np.frombuffer(data, np.uint16).reshape(said["shape"]), said["rules"])

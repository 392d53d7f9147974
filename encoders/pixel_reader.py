"""Images read in a process of their own, within limits."""

from pathlib import Path

import numpy as np

from encoders.bounded_child import RefusedError
from encoders.bounded_process import STALLED_S, BoundedProcess, Limits
from encoders.image import GrayscaleImage, PixelError
from encoders.model_ready import from_model_ready


class PixelReader(BoundedProcess):
    """Reads as ``encoders.grayscale.read_image`` does, in a child process; refuses blank images.

    Use it as a context manager, from one thread.
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
        """Read one image, as it is kept and as every encoder sees it (``encoders.model_ready``).

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
        samples = np.frombuffer(data, np.uint16).reshape(said["shape"])
        return GrayscaleImage(from_model_ready(samples), said["rules"])

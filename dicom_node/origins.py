"""What is told of each vector's origin, and what its encoder was made for."""

import logging
from collections.abc import Mapping
from typing import Any

from dicom_node.in_hand import ReadImage
from dicom_node.version import SOFTWARE_VERSION
from encoders.declaration import Declaration
from encoders.grayscale import WINDOW_RULE

log = logging.getLogger(__name__)


class Origins:
    """The origins of one encoder's vectors."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._warned: set[str] = set()

    @property
    def ct_window(self) -> tuple[float, float] | None:
        """Centre and width in HU that CT is shown in for this encoder; None: in its own."""
        return self._declaration.ct_window

    @property
    def window_rule(self) -> str:
        """By which rules images are read for this encoder, as spaces name them.

        One that only looks vectors up says in its space what rules those were made by.
        """
        window = self._declaration.ct_window
        return WINDOW_RULE + (f"; CT at {window[0]:g}/{window[1]:g} HU" if window else "")

    def of(self, image: ReadImage) -> Mapping[str, Any]:
        """Versions, digest of the data set, and a warning where one is due, logged once."""
        told = {
            "software": SOFTWARE_VERSION,
            "encoder": self._declaration.name,
            "sha256": image.sha256,
        }
        modality = image.reference.modality
        warning = self._declaration.warning_for(modality)
        if warning is None:
            return told
        if modality not in self._warned:
            log.warning("%s; its vectors say so", warning)
        self._warned.add(modality)
        return {**told, "warning": warning}

"""A vector space: everything that two vectors must share to be comparable."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Space:
    """What a vector means. Two vectors compare only if every field here is the same.

    Attributes:
        encoder: the registry's name of the encoder.
        encoder_version: changes whenever the encoder's own arithmetic changes.
        weights_digest: SHA-256 of the weights file, empty for an encoder without weights.
        preprocessing: resize, crop and statistics, as a short text.
        window_rule: version of the pixel pipeline (modality LUT, VOI, polarity).
        slice_rule: version of the rule that chooses one image from a series.
        pooling: how the network's last map becomes one vector.
        dimension: length of a vector.
        metric: ``cosine``; vectors are of unit length.
    """

    encoder: str
    encoder_version: str
    weights_digest: str
    preprocessing: str
    window_rule: str
    slice_rule: str
    pooling: str
    dimension: int
    metric: str = "cosine"

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that change if, and only if, a field changes."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

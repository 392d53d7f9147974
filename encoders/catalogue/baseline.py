"""The encoder that needs no weights."""

from encoders.baseline_size import DIMENSION
from encoders.declaration import Declaration

BASELINE = Declaration(
    name="baseline",
    summary="hand-made descriptor of gray levels and gradients, no weights, CPU",
    network="encoders.baseline_encoder:make",
    dimension=DIMENSION,
    licence="Apache-2.0",
)

DECLARATIONS = (BASELINE,)

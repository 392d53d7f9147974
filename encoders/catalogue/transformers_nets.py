"""Encoders: networks that the transformers library builds."""

from encoders.catalogue import transformers_medical, transformers_natural
from encoders.declaration import Declaration

DECLARATIONS: tuple[Declaration, ...] = (
    *transformers_natural.DECLARATIONS,
    *transformers_medical.DECLARATIONS,
)

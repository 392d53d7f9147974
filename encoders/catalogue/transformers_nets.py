"""Encoders: networks that the transformers library builds."""

from encoders.declaration import Declaration

DECLARATIONS: tuple[Declaration, ...] = ()

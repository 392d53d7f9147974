"""Encoders: encoders that are named with what they load, such as timm:NAME."""

from encoders.declaration import Declaration

DECLARATIONS: tuple[Declaration, ...] = ()

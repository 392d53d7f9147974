"""Pixels to vectors: the standard's pixel pipeline, image choice, and the encoder registry."""

"""What the weight-free descriptor is called by; apart, so that listing encoders needs no SciPy."""

VERSION = "2"
"""Of its arithmetic (``encoders.baseline``)."""

DIMENSION = 16 * 16 + 8 * 4 * 4 + 59 * 4 * 4 + 12 * 9 + 16 * 6
"""Layout, edges, texture, surroundings and intensity, in the order of ``encoders.baseline``."""

"""How long the weight-free descriptor is; apart, so that listing encoders loads no arithmetic."""

DIMENSION = 16 * 16 + 8 * 4 * 4 + 59 * 4 * 4 + 12 * 9 + 16 * 6
"""Layout, edges, texture, surroundings and intensity, in the order of ``encoders.baseline``."""

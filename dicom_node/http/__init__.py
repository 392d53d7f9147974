"""The HTTP service: its door, its routes, and how it says what went wrong."""

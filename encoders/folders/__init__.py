"""Encoder folders: what training makes, and what ``folder:PATH`` names."""

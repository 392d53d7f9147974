"""Encoders that come with Likeness, weights and all: folders as `likeness train` writes them."""

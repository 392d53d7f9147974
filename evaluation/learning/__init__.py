"""Recipes run on collections: what is learned of them, and how good the encoders are."""

"""Regions of a chest radiograph: their names, where they lie, and what is seen in them."""

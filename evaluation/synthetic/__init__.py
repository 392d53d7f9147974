"""A synthetic archive: procedural chest radiographs and CT series with known findings."""

"""The report of an evaluation: one JSON file, CSV tables and one HTML page with pictures."""

"""What search goes by, one rule a file; ``storage.search`` is the door to them."""

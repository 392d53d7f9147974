"""What the figures in ``docs/benchmarks.md`` were made with."""

"""What is timed: run `python -m benchmarks.bench`."""

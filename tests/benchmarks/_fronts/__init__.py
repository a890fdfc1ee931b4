"""What `tests.benchmarks.fronts` is made of: units of work, their cache, and what is read off."""

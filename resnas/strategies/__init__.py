"""Which trials to run next: one file, one strategy; numbers in, numbers out."""

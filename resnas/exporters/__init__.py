"""File formats a fixed network is written in: one file, one format."""

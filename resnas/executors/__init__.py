"""Where trials run: one file, one executor."""

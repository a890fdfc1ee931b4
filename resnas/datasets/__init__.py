"""Data to train on: one file, one data set (or family of files)."""

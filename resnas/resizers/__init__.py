"""Operators that set a map's size: one file, one operator."""

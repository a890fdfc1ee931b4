"""Replacements that learn no size: one file, one layer."""

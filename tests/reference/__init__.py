"""Slow, obvious float64 versions of the operators, with their gradients, in numpy."""

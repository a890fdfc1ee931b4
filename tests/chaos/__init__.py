"""The whole service under faults: real processes, real databases, killed at random.

`make chaos` runs all of it, in an hour or so; the default suite runs what takes seconds.
"""

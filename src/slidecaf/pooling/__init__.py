"""One vector a slide: norms of its patches' vectors, and their file."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

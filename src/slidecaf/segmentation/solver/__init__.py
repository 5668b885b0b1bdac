"""Many linear SVMs over one matrix of patches at once (paper, section 3.3)."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

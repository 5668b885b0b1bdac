"""Where the patches of a slide are, and the file that says so."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

"""How good predictions and masks are, with intervals and paired tests."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

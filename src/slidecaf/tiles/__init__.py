"""Where the patches of a slide are: their grid (`grid`), which of them are white (`tissue`), their file (`file`)."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

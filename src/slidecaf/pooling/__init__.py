"""From many vectors a slide, one for each patch, to one vector: p-norms (`norms`), and their file (`file`)."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

"""Slides to a map of necrosis: masks and labels, models that leave patients out, maps, masks and outlines.

The SVMs of patches stand in `solver`.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

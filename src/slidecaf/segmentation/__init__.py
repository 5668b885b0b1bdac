"""Slides to a map of necrosis: masks and labels, models that leave patients out, maps, masks and outlines.

The SVMs of patches stand in `solver`.
"""

"""Slides to a diagnosis: folds, selection, linear SVMs, the choice among candidates, and what neurons look for."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

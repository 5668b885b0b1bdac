"""Slides to a diagnosis: folds, selection, linear SVMs, the choice among candidates, and what neurons look for."""

"""Slides to a diagnosis: from one vector a slide to a class, its confidence and what speaks for it.

`folds` deals patients, `selection` ranks features, `svm` fits linear SVMs, `choice` chooses among candidates inside the
training rows, `vectors` hands those rows out, and `neurons` shows the patches that the chosen features answer to.
`mcil` learns from bags of patches; no rule calls it yet.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

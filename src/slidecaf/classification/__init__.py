"""Slides to a diagnosis: from a slide's vectors to a class, its confidence and what speaks for it.

`folds` deals patients, and `classifier` fits and uses the model of a part by a module of the method's kind, as `kinds`
describes it. Of kind ``svm``, `pooled_svm`: `selection` ranks features, `svm` fits linear SVMs, `choice` chooses among
candidates inside the training rows, and `neurons` shows the patches that the chosen features answer to. Of kind
``mcil``: the package `mcil`. `vectors` and `bags` hand out what kinds read of slides, and `patches` scores patches.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

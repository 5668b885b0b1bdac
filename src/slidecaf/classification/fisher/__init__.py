"""An SVM on Fisher vectors, bags of words or VLAD: all of a part is learned from its training rows.

Mixtures come first (`mixtures`), then every image encoded by them (`encoded`), then choice and SVM (`method`); for
foreground Fisher vectors the weights of components (`weights`).
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

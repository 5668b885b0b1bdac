"""Multiple clustered instance learning: slides are bags of patches, and a class is learnt from bags.

`model` is the method itself, on matrices; `method` makes it a kind of the classification.
"""

REVISION = 2
"""Of the values that this package computes: a whole number, raised where they change."""

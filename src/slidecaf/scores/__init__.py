"""How good predictions and masks are, so that a reviewer can trust it.

`classification` scores diagnoses and `segmentation` masks; every number comes with an interval (`intervals`), two
methods or variants with a paired test (`paired`). Nothing here reads or writes a file.
"""

REVISION = 2
"""Of the values that this package computes: a whole number, raised where they change."""

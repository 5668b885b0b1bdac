"""Features in the layouts of other programs, CLAM, TRIDENT and STAMP, and heat maps as QuPath opens them.

`export` and a module a program write them from one extraction; `reading` and `adopt` take in what CLAM or TRIDENT
computed, checked against the slide, in the form that slidecaf keeps.
"""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

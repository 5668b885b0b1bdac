"""Patches to vectors, and the file that holds them.

Networks stand in `networks`, how they are run over a slide in `extraction`.
"""

REVISION = 2
"""Of the values that this package computes: a whole number, raised where they change."""

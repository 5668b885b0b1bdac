"""Patches to vectors, and the file that holds them.

Networks stand in `networks`, how they are run over a slide in `extraction`.
"""

"""Features of a slide's patches, from its pixels.

Importing this package decides how the process hands out memory: once other threads have had some, it is too late.
"""

from slidecaf.features.extraction.allocation import keep_freed_memory

keep_freed_memory()

from slidecaf.features import networks  # noqa: E402, F401  which imports torch as it is best imported

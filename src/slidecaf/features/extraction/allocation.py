"""How the C library hands out memory while a network runs."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""The numbers of glibc's settings, from malloc.h."""


def keep_freed_memory():
    """Let this process use freed memory again instead of giving it back to the system, which hands it out page by page.

    A layer's output is tens to hundreds of MiB, for which glibc asks the system anew each time: touching the fresh
    pages took longer than the layer. All threads share one arena, since others cannot hold blocks this large, and give
    back what they can; but a thread keeps the arena that it has, and later ones may be given it, so that this has to
    be called before any other thread allocates. Where the C library is another one, nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_ARENA_MAX, 1)):
            mallopt(setting, value)

"""Decoded tiles or strips of a file, kept within some bytes and shared by threads."""

import threading
from collections import OrderedDict

import numpy as np


class SegmentCache:
    """The segments last used, up to some bytes, or a single larger one. Safe for threads.

    Parameters
    ----------
    limit : int
        In bytes.
    """

    def __init__(self, limit):
        self._limit, self._bytes, self._segments = limit, 0, OrderedDict()
        self._lock = threading.Lock()
        # One of them is held while a segment is made. Segments share them, so that their number is fixed.
        self._making = [threading.Lock() for _ in range(64)]

    def get(self, key, make) -> np.ndarray:
        """Return a segment; where it is not there it is made, by one thread while others wait for it.

        Parameters
        ----------
        key : hashable
        make : callable
            Without arguments, returns an ndarray.

        Returns
        -------
        ndarray
            Shared, so that it cannot be written to.
        """
        segment = self._find(key)
        if segment is None:
            with self._making[hash(key) % len(self._making)]:
                segment = self._find(key)
                if segment is None:
                    segment = make()
                    self._keep(key, segment)
        return segment

    def _find(self, key):
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
            return self._segments.get(key)

    def _keep(self, key, segment):
        with self._lock:
            segment.flags.writeable = False  # whoever asks gets the same one
            self._segments[key] = segment
            self._bytes += segment.nbytes
            while self._bytes > self._limit and len(self._segments) > 1:
                self._bytes -= self._segments.popitem(last=False)[1].nbytes

"""Open files and what was computed from them, kept up to some bytes."""

import threading
from collections import OrderedDict
from contextlib import contextmanager


class _Entry:
    def __init__(self):
        self.making, self.value, self.users = threading.Lock(), None, 0


class Leases:
    """Values that are made when they are first asked for, shared, and closed when room is needed and nobody uses them.

    Parameters
    ----------
    limit : int
        Bytes that unused values may hold together with used ones.
    weigh : callable
        From a value to its bytes.
    """

    def __init__(self, limit, weigh):
        self._limit, self._weigh = limit, weigh
        self._entries, self._lock = OrderedDict(), threading.Lock()

    @contextmanager
    def lease(self, key, make):
        """Give a value for as long as the block lasts.

        Parameters
        ----------
        key : hashable
        make : callable
            Without arguments, returns a value with a method ``close``. What it raises passes, and it is tried anew
            next time.

        Yields
        ------
        object
            Shared with other threads.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            entry.users += 1
        try:
            with entry.making:
                if entry.value is None:
                    entry.value = make()
            yield entry.value
        finally:
            with self._lock:
                entry.users -= 1
                unused = self._take_out()
            for value in unused:
                value.close()

    def close(self) -> None:
        """Close all values; none may be in use."""
        with self._lock:
            values = [entry.value for entry in self._entries.values() if entry.value is not None]
            self._entries.clear()
        for value in values:
            value.close()

    def _take_out(self):
        """Forget entries that could not be made, and the oldest unused ones while there is too much; return these."""
        for key in [key for key, entry in self._entries.items() if entry.value is None and not entry.users]:
            del self._entries[key]
        weights = {key: self._weigh(entry.value) for key, entry in self._entries.items() if entry.value is not None}
        total, unused = sum(weights.values()), []
        for key, weight in weights.items():
            if total <= self._limit:
                break
            if not self._entries[key].users:
                unused.append(self._entries.pop(key).value)
                total -= weight
        return unused

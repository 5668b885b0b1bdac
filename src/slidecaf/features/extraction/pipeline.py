"""Workers that read pixels and run the network, some pieces of a slide at a time, for all slides of a job.

On a CPU a worker also runs the network, on one core: no core waits for another, and features do not depend on how many
workers there are. On a GPU the workers read, and a thread of its own keeps the GPU busy, whatever who takes the
features does meanwhile: compressing and writing them keeps nothing waiting until `HELD` bytes are there.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from threading import Condition, Lock

import numpy as np
import torch

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.card import Card
from slidecaf.features.extraction.linear import FINE, INFINITE, NO_NUMBER

LAUNCHED = 2
"""Pieces that a GPU computes or has waiting while the next one is made ready."""

HELD = 2**29
"""Bytes of features from a GPU that wait to be written, about: five seconds of compression."""


class Pipeline:
    """The workers of a job; use it in a ``with`` statement.

    Parameters
    ----------
    threads : int
        Worker threads. Features do not depend on it.
    device : torch.device
    head : slidecaf.features.extraction.linear.Linear, optional
        What judges features on the device; confidences then come in place of features.
    card : slidecaf.features.extraction.card.Card, optional
        What copies to a GPU and back; of the device by default, and none on a CPU.
    """

    def __init__(self, threads, device, *, head=None, card=None):
        self._threads, self._head = threads, head
        self._card = Card(device) if card is None and device.type == "cuda" else card
        self._arriving = []

    def __enter__(self):
        self._torch_threads = torch.get_num_threads()
        if self._card is None:  # each worker's network runs on its own core alone
            torch.set_num_threads(1)
        self._pool, self._launcher = ThreadPoolExecutor(self._threads), ThreadPoolExecutor(1)
        return self

    def __exit__(self, *error):
        for arriving in self._arriving:
            arriving.stop()
        self._launcher.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._torch_threads)

    def run(self, read, encode, pieces, *, ahead=lambda: None):
        """Begin to compute the features of pieces of a slide, with a bounded number of pieces under way.

        Parameters
        ----------
        read : callable
            A piece to its pixels (torch.Tensor), which patches are valid (ndarray of bool, shape (n,)), and why one
            is not.
        encode : callable
            Pixels and their piece to a torch.Tensor of float16, shape (n, D); on the network's device, also where n
            is 0.
        pieces : iterable
        ahead : callable, optional
            Called when all pieces are under way: the workers are soon without work.

        Returns
        -------
        generator of (ndarray of float16, shape (n, D), ndarray of bool, shape (n,), str or None)
            Features, which of them are valid and why one is not, in the order of the pieces; features are zero where a
            patch is not valid. With a head, an ndarray of float64, shape (n, M + 1), in their place: confidences, and
            how many features are not zero. It raises a `SlidecafError` if features are not numbers, or too large for
            16 bit. Close it, so that nothing is under way any more.
        """

        def compute(pixels, piece):
            features = encode(pixels, piece)
            return features if self._head is None else self._head(features)

        def work(piece):
            pixels, valid, reason = read(piece)
            return (self._card.ready(pixels) if self._card else compute(pixels, piece)), piece, valid, reason

        if self._card is None:
            return self._from_workers(_Worked(self._pool, work, pieces, 2 * self._threads, ahead))
        arriving, behind = _Arriving(HELD), _Behind(self._pool, ahead)
        self._arriving.append(arriving)
        worked = _Worked(self._pool, work, pieces, 2 * self._threads, behind.one_of_two)
        return self._from_card(arriving, self._launcher.submit(self._launch, worked, compute, arriving), behind)

    def _from_workers(self, worked):
        with closing(worked.results()) as results:
            for output, _, valid, reason in results:
                yield self._checked(output.numpy(), valid, reason)

    def _from_card(self, arriving, launching, behind):
        behind.one_of_two()
        try:
            for output, valid, reason in arriving.all():
                yield self._checked(output, valid, reason)
        finally:
            arriving.stop()
            wait([launching])
            behind.wait()

    def _launch(self, worked, compute, arriving):
        """Keep the card busy with a slide: what has been read goes there, what is done comes back."""
        launched = deque()

        def land():
            (output, arrived), valid, reason = launched.popleft()
            arrived.synchronize()
            arriving.put(output.numpy(), valid, reason)

        try:
            with closing(worked.results()) as results:
                for pixels, piece, valid, reason in results:
                    launched.append((self._card.launch(compute, pixels, piece), valid, reason))
                    if len(launched) > LAUNCHED:
                        land()
            while launched:
                land()
            arriving.end()
        except BaseException as error:  # it is raised where features are taken
            arriving.end(error)

    def _checked(self, rows, valid, reason):
        if self._head is None:
            wrong = NO_NUMBER if np.isnan(rows[valid]).any() else INFINITE * (not np.isfinite(rows[valid]).all())
        else:
            rows, said = rows[:, :-1], rows[:, -1]
            wrong = said[valid].max(initial=FINE)
        if wrong != FINE:
            kind = "not a number" if wrong == NO_NUMBER else "above 65,504 and does not fit 16 bit"
            raise SlidecafError(f"features: a value is {kind}; take other weights or another layer.")
        rows[~valid] = 0
        return rows, valid, reason


class _Worked:
    """Pieces that workers are given, some at a time."""

    def __init__(self, pool, work, pieces, most, ahead):
        self._pool, self._work, self._ahead = pool, work, ahead
        self._todo, self._waiting = iter(pieces), deque()
        self._more = all(self._submit() for _ in range(most))

    def _submit(self):
        for piece in self._todo:
            self._waiting.append(self._pool.submit(self._work, piece))
            return True
        return False

    def results(self):
        """Yield what the workers return, in order; closed, nothing is under way any more."""
        try:
            if not self._more:
                self._ahead()
            while self._waiting:
                done = self._waiting.popleft().result()
                if self._more and not self._submit():
                    self._more = False
                    self._ahead()
                yield done
        finally:
            for future in self._waiting:
                future.cancel()
            wait(self._waiting)


class _Behind:
    """The slide behind one that a card computes: a worker begins it, so that the card goes on while it is opened.

    Two things have to be so, whichever comes first: the slide before has no more pieces to be read, and its features
    are being taken. Otherwise small slides would begin one another to the job's last.
    """

    def __init__(self, pool, begin):
        self._pool, self._begin, self._missing = pool, begin, 2
        self._lock, self._begun = Lock(), []

    def one_of_two(self):
        """Say that one of the two is so; it is said once of each."""
        with self._lock:
            self._missing -= 1
            if not self._missing:
                self._begun.append(self._pool.submit(self._begin))

    def wait(self):
        """Wait until it is under way, if it is to be: who takes it then finds it. Its errors are raised there."""
        wait(self._begun)


class _Stopped(Exception):
    """Nobody takes features any more."""


class _Arriving:
    """Features on their way from the thread that launches to the one that writes.

    Parameters
    ----------
    most : int
        Bytes beyond which the former waits for the latter.
    """

    def __init__(self, most):
        self._most, self._held, self._rows = most, 0, deque()
        self._changed, self._stopped, self._ended, self._error = Condition(), False, False, None

    def put(self, output, valid, reason):
        """Hand over, once there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._held <= self._most or self._stopped)
            if self._stopped:
                raise _Stopped
            self._rows.append((output, valid, reason))
            self._held += output.nbytes
            self._changed.notify_all()

    def end(self, error=None):
        """Say that nothing more comes, perhaps since something went wrong."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self):
        """Say that nothing more is taken."""
        with self._changed:
            self._stopped = True
            self._rows.clear()
            self._changed.notify_all()

    def all(self):
        """Yield what comes, in order, and raise what went wrong."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._rows or self._ended or self._stopped)
                if not self._rows:
                    break
                done = self._rows.popleft()
                self._held -= done[0].nbytes
                self._changed.notify_all()
            yield done
        if self._error is not None and not isinstance(self._error, _Stopped):
            raise self._error


def too_many_unreadable(reason, share, patches):
    """Return the error of a slide of which too much cannot be read.

    Parameters
    ----------
    reason : str
        Why a patch could not be read: a sentence.
    share : float
        The share of patches that may be unreadable.
    patches : int

    Returns
    -------
    SlideError
    """
    return SlideError(
        f"{reason} More than {share:.2%} of the slide's {patches} patches cannot be read; take an undamaged copy, or "
        "raise max_unreadable in the config."
    )

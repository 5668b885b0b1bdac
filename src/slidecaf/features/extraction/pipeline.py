"""Workers that read pixels and run the network, some pieces of a slide at a time, for all slides of a job.

On a CPU a worker also runs the network, on one core: no core waits for another, and features do not depend on how many
workers there are. On a GPU the workers read, and the calling thread keeps the GPU busy: pixels come from page-locked
memory on a stream of their own while the GPU computes, and features go back while it computes the next.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import torch

from slidecaf.errors import SlidecafError, SlideError

LAUNCHED = 2
"""Pieces that a GPU computes or has waiting while the next one is made ready."""


class Pipeline:
    """The workers of a job; use it in a ``with`` statement.

    Parameters
    ----------
    threads : int
        Worker threads. Features do not depend on it.
    device : torch.device
    """

    def __init__(self, threads, device):
        self._threads, self._device = threads, device
        self._on_gpu = device.type == "cuda"

    def __enter__(self):
        self._torch_threads = torch.get_num_threads()
        if not self._on_gpu:  # each worker's network runs on its own core alone
            torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(self._threads)
        self._copying = torch.cuda.Stream(self._device) if self._on_gpu else None
        return self

    def __exit__(self, *error):
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
            Pixels and their piece to a torch.Tensor of float16, shape (n, D).
        pieces : iterable
        ahead : callable, optional
            Called when all pieces are under way: the workers are soon without work.

        Returns
        -------
        generator of (ndarray of float16, shape (n, D), ndarray of bool, shape (n,), str or None)
            Features, which of them are valid and why one is not, in the order of the pieces; features are zero where a
            patch is not valid. It raises a `SlidecafError` if features are not numbers, or too large for 16 bit.
            Close it, so that nothing is under way any more.
        """
        todo, waiting = iter(pieces), deque()

        def work(piece):
            pixels, valid, reason = read(piece)
            return (self._ready(pixels) if self._on_gpu else encode(pixels, piece)), piece, valid, reason

        def submit():
            for piece in todo:
                waiting.append(self._pool.submit(work, piece))
                return True
            return False

        more = all(submit() for _ in range(2 * self._threads))

        def results(more):
            launched = deque()
            try:
                if not more:
                    ahead()
                while waiting:
                    output, piece, valid, reason = waiting.popleft().result()
                    if more and not submit():
                        more = False
                        ahead()
                    if not self._on_gpu:
                        yield _checked(output.numpy(), valid, reason)
                        continue
                    launched.append((*self._launch(encode, output, piece), valid, reason))
                    if len(launched) > LAUNCHED:
                        yield _landed(*launched.popleft())
                while launched:
                    yield _landed(*launched.popleft())
            finally:
                for future in waiting:
                    future.cancel()
                wait(waiting)

        return results(more)

    def _ready(self, pixels):
        return pixels if pixels.is_pinned() else pixels.contiguous().pin_memory()

    def _launch(self, encode, pixels, piece):
        """Let the GPU take pixels, compute and give features back; return these and the event of their arrival."""
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._copying):
            there = pixels.to(self._device, non_blocking=True)
        computing.wait_stream(self._copying)
        there.record_stream(computing)  # its memory is not given to another copy before the network has read it
        output = encode(there, piece)
        features = torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
        features.copy_(output, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record(computing)
        return features, arrived


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


def _landed(features, arrived, valid, reason):
    arrived.synchronize()
    return _checked(features.numpy(), valid, reason)


def _checked(features, valid, reason):
    if not np.isfinite(features[valid]).all():
        kind = "not a number" if np.isnan(features[valid]).any() else "above 65,504 and does not fit 16 bit"
        raise SlidecafError(f"features: a value is {kind}; take other weights or another layer.")
    features[~valid] = 0
    return features, valid, reason

"""Workers that read pixels and run the network, some pieces of a slide at a time.

On a CPU a worker also runs the network, on one core: no core waits for another, and features do not depend on how many
workers there are. On a GPU the workers read, and the calling thread keeps the GPU busy.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from slidecaf.errors import SlidecafError, SlideError


def run(read, encode, pieces, *, threads, device):
    """Compute the features of pieces of a slide, with a bounded number of pieces under way.

    Parameters
    ----------
    read : callable
        A piece to what `encode` takes, which patches are valid (ndarray of bool, shape (n,)), and why one is not.
    encode : callable
        To a torch.Tensor of float16, shape (n, D).
    pieces : sequence
    threads : int
        Worker threads. Features do not depend on it.
    device : torch.device

    Yields
    ------
    features : ndarray of float16, shape (n, D)
        In the order of the pieces; zero where a patch is not valid.
    valid : ndarray of bool, shape (n,)
    reason : str or None

    Raises
    ------
    SlidecafError
        If features are not numbers, or too large for 16 bit.
    """
    on_cpu = device.type == "cpu"

    def work(piece):
        pixels, valid, reason = read(piece)
        return (encode(pixels) if on_cpu else pixels), valid, reason

    launched = deque()  # on a GPU, the piece that it still computes while the next one is made ready
    with _one_thread_a_worker(on_cpu), ThreadPoolExecutor(threads) as pool:
        waiting = deque()
        try:
            for piece in [*pieces, *[None] * (2 * threads)]:
                if piece is not None:
                    waiting.append(pool.submit(work, piece))
                if waiting and (piece is None or len(waiting) > 2 * threads):
                    output, valid, reason = waiting.popleft().result()
                    launched.append((output if on_cpu else encode(output), valid, reason))
                    if on_cpu or len(launched) > 1:
                        yield _finish(*launched.popleft())
            while launched:
                yield _finish(*launched.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


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


def _finish(output, valid, reason):
    features = output.cpu().numpy()
    if not np.isfinite(features[valid]).all():
        kind = "not a number" if np.isnan(features[valid]).any() else "above 65,504 and does not fit 16 bit"
        raise SlidecafError(f"features: a value is {kind}; take other weights or another layer.")
    features[~valid] = 0
    return features, valid, reason


@contextmanager
def _one_thread_a_worker(on_cpu):
    """On a CPU let each worker's network run on its own core alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if on_cpu else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

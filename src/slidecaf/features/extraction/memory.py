"""How many patches fit into a GPU together, by what a few of them took there."""

import torch

from slidecaf.features.networks.convolved import OWN_SIZE
from slidecaf.logs import logger

ON_A_CPU = 32
"""Patches that go through the network together where nothing has to be found out."""

MOST = 256
"""Patches of 224 px, at most: each worker holds two batches, and a batch is read by one worker."""

SHARE = 0.5
"""Of the free memory: a convolution may take other ways, and other memory, with a larger batch."""

FEW = (8, 16)
"""Patches that are tried."""


class CardMemory:
    """A GPU's memory.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device):
        self._device = device

    def free(self) -> int:
        """Return the bytes that may be had: of the card, and of what torch holds and nothing uses."""
        unused = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return torch.cuda.mem_get_info(self._device)[0] + unused

    def taken(self, call) -> int:
        """Return the bytes that a call takes at its peak, beside what is there before.

        Parameters
        ----------
        call : callable

        Returns
        -------
        int
        """
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        call()
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - before


def at_224(count, input_size) -> int:
    """Return how many patches of a size have no more px than so many of 224 px; one at least, and no more than those.

    Parameters
    ----------
    count, input_size : int

    Returns
    -------
    int

    Examples
    --------
    >>> at_224(32, 224), at_224(32, 448), at_224(32, 64), at_224(32, 4096)
    (32, 8, 32, 1)
    """
    return max(1, min(count, count * OWN_SIZE**2 // input_size**2))


def fitting(encoder, memory) -> int:
    """Return how many patches go through a network together: a power of two, by the memory that is free.

    Parameters
    ----------
    encoder : slidecaf.features.networks.encoder.Encoder
    memory : CardMemory
        Of its device.

    Returns
    -------
    int
        1 to `MOST`, fewer of patches above 224 px.
    """
    most = at_224(MOST, encoder.input_size)

    def run(count):
        size = encoder.input_size
        encoder.as_it_is(torch.zeros(count, 3, size, size, dtype=torch.uint8))

    try:
        taken = [memory.taken(lambda count=count: run(count)) for count in FEW]
    except torch.OutOfMemoryError:
        logger.warning("the GPU's memory does not hold the network and %d patches", FEW[-1])
        return 1
    each = max(1, (taken[1] - taken[0]) / (FEW[1] - FEW[0]))
    free = memory.free()
    fit = int((SHARE * free - max(0, taken[0] - FEW[0] * each)) / each)
    count = 1 << (max(1, min(fit, most)).bit_length() - 1)
    said = "%d patches go through the network together: one takes %.1f MiB, and %.1f GiB of the GPU are free"
    logger.info(said, count, each / 2**20, free / 2**30)
    return count

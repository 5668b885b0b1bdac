"""A GPU's streams: pixels go there, features come back, and neither waits for what is computed meanwhile.

Streams are three: one copies to the card, the current one computes, one copies back. What one stream made and another
uses is said to torch by `record_stream`, since the caching allocator knows a tensor's first stream only. Page-locked
memory that is let go while a copy of it is under way is safe: torch hands it out again once that copy is done.
"""

import torch


class Card:
    """A GPU as `slidecaf.features.extraction.pipeline.Pipeline` uses one.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device):
        self._device = device
        self._there, self._back = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def ready(self, pixels):
        """Return pixels in page-locked memory, from which copies overlap."""
        return pixels if pixels.is_pinned() else pixels.contiguous().pin_memory()

    def launch(self, compute, pixels, piece):
        """Let the card take pixels, compute and give the result back, without waiting for any of it.

        Parameters
        ----------
        compute : callable
            Pixels on the card and their piece to a tensor there.
        pixels : torch.Tensor
            From `ready`.
        piece : object

        Returns
        -------
        result : torch.Tensor
            In page-locked memory; it is there once
        arrived : torch.cuda.Event
            has happened. Who waits for it leaves its core to the workers.
        """
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._there):
            given = pixels.to(self._device, non_blocking=True)
        computing.wait_stream(self._there)
        given.record_stream(computing)  # its memory is not given to another copy before the network has read it
        output = compute(given, piece)
        self._back.wait_stream(computing)
        output.record_stream(self._back)  # nor that of features to the next piece before they were copied
        result = torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
        arrived = torch.cuda.Event(blocking=True)
        with torch.cuda.stream(self._back):
            result.copy_(output, non_blocking=True)
            arrived.record()
        return result, arrived

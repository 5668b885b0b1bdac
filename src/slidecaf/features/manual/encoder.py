"""Manual features where extraction has a network: patches in, 186 values a patch out, on the CPU."""

import torch

from slidecaf.features.manual.descriptor import DIMENSION, describe


class ManualEncoder:
    """What `slidecaf.features.extraction.patchwise` asks of an encoder.

    Parameters
    ----------
    patch_size : int
        The patches' side in px at the tiling's resolution: they are not resized.

    Attributes
    ----------
    input_size : int
        The same.
    device : torch.device
        The CPU.
    dimension : int
        186.
    sha256 : str
        Empty: there are no weights.
    compiles : bool
        False.

    Examples
    --------
    >>> encoder = ManualEncoder(112)
    >>> encoder(torch.zeros(2, 3, 112, 112, dtype=torch.uint8)).shape
    torch.Size([2, 186])
    """

    device, dimension, sha256, compiles = torch.device("cpu"), DIMENSION, "", False

    def __init__(self, patch_size):
        self.input_size = patch_size

    def __call__(self, patches):
        """Compute features.

        Parameters
        ----------
        patches : torch.Tensor of uint8, shape (n, 3, input_size, input_size)
            RGB.

        Returns
        -------
        torch.Tensor of float32, shape (n, 186)

        Raises
        ------
        SlidecafError
            If patches are smaller than 3 px.
        """
        return torch.from_numpy(describe(patches.permute(0, 2, 3, 1).numpy()))

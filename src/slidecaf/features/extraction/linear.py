"""Linear models that judge features where these are computed, so that confidences come back and no features.

Of a dense block this is a 1 x 1 convolution of its map, taken at those places where patches are.
"""

import numpy as np
import torch

ROWS = 2048
"""Patches that are judged at once: of 4,096 values 64 MiB in 64 bit."""

FINE, INFINITE, NO_NUMBER = 0, 1, 2
"""What is said of a patch's values."""


class Linear:
    """Linear models on a device.

    Features count as they would be stored, in 16 bit, and sums have 64, as where a CPU judges them: what differs is
    the order of a sum, in digits that a confidence of 32 bit hardly shows.

    Parameters
    ----------
    coef : ndarray of float64, shape (M, D)
    intercept : ndarray of float64, shape (M,)
    device : torch.device
    """

    def __init__(self, coef, intercept, device):
        self._coef = torch.from_numpy(np.ascontiguousarray(coef.T)).to(device)
        self._intercept = torch.from_numpy(np.asarray(intercept)).to(device)

    def __call__(self, features):
        """Judge patches.

        Parameters
        ----------
        features : torch.Tensor of float16, shape (n, D)
            On the device.

        Returns
        -------
        torch.Tensor of float64, shape (n, M + 2)
            Confidences, how many values are not zero, and whether all are numbers.
        """
        found = self._coef.new_empty(len(features), len(self._intercept) + 2)
        with torch.inference_mode():
            for start in range(0, len(features), ROWS):
                rows, own = features[start : start + ROWS], found[start : start + ROWS]
                torch.addmm(self._intercept, rows.double(), self._coef, out=own[:, :-2])
                own[:, -2] = rows.count_nonzero(dim=1)
                # a sum of nothing but numbers of 16 bit is one: the larger of both codes tells what there is
                own[:, -1] = torch.where(rows.isnan(), NO_NUMBER, rows.isinf() * INFINITE).amax(dim=1)
        return found

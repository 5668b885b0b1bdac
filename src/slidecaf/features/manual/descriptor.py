"""The 186 values of a patch: 128 of SIFT, 10 of local binary patterns, 16 of each of L*, a* and b*.

Patches alone and patches of a region are described by the same code, so that a patch has the same features in both
ways, up to the rounding of SIFT's sums. A patch's features depend on nothing outside it: its border pixels have
neighbours on one side only, and give neither a gradient nor a pattern.
"""

import numpy as np
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.features.manual import lab, lbp, sift
from slidecaf.features.manual.counts import count

DIMENSION = sift.DIMENSION + lbp.DIMENSION + lab.DIMENSION

SMALLEST = 3
"""The smallest patch's side in px: within its border lies one pixel."""


def describe(patches):
    """Compute the features of patches.

    Parameters
    ----------
    patches : ndarray of uint8, shape (n, size, size, 3)
        RGB.

    Returns
    -------
    ndarray of float32, shape (n, 186)
        0 to 1. SIFT has norm 1, or is zero where the patch has one gray value; each histogram has sum 1.

    Raises
    ------
    SlidecafError
        If the patches are not square, or smaller than 3 px.

    Examples
    --------
    >>> white = np.full((1, 112, 112, 3), 255, np.uint8)
    >>> features = describe(white)
    >>> features.shape
    (1, 186)
    >>> features[0, 128:138]  # all neighbours are as bright as the pixel itself
    array([0., 0., 0., 0., 0., 0., 0., 0., 1., 0.], dtype=float32)
    """
    height, width = patches.shape[1:3]
    if height != width:
        raise SlidecafError(f"manual features: patches are {width} × {height} px; take square ones.")
    features = np.empty((len(patches), DIMENSION), np.float32)
    for patch, row in zip(patches, features, strict=True):
        row[:] = describe_densely(patch, width, width)[0, 0]
    return features


def describe_densely(pixels, size, stride):
    """Compute the features of all patches of a region that lie on a regular grid from its first pixel.

    What overlapping patches share is computed once. Memory is about 100 bytes a pixel.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB; no side is shorter than a patch.
    size, stride : int
        The patches' side and the distance from one to the next, in px.

    Returns
    -------
    ndarray of float32, shape (rows, columns, 186)
        As `describe` computes them.

    Raises
    ------
    SlidecafError
        If patches are smaller than 3 px, or larger than the region.
    """
    height, width = pixels.shape[:2]
    if not SMALLEST <= size <= min(height, width):
        raise SlidecafError(
            f"manual features: there are no patches of {size} px in {width} × {height} px; take patches of at least "
            f"{SMALLEST} px that fit."
        )
    gray = to_gray(pixels)
    within = size - 2  # the side without the border, where gradients and patterns are
    textures = count(lbp.codes(gray), lbp.DIMENSION, within, stride) / within**2
    colours = [count(channel, lab.BINS, size, stride) / size**2 for channel in lab.bins(pixels)]
    parts = [sift.describe(sift.orient(gray), size, stride), textures, *colours]
    return np.concatenate(parts, axis=2, dtype=np.float32, casting="same_kind")


def to_gray(pixels):
    """Return the luma of pixels (ITU-R BT.601, rounded to whole numbers), as Pillow's mode L.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (h, w)
    """
    return np.asarray(Image.fromarray(pixels).convert("L"))

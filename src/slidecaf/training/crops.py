"""Boxes around what a network looks at: where the map of the class that it predicts is large.

The map is laid over the image, px from a share of its largest value on are kept, and the box is that of the largest
connected region (Zhou et al. 2016: a share of 0.2). A network that speaks nowhere for the class that it predicts, or
everywhere alike, has no region: the whole image is its box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from slidecaf.tiles.whole import fitted, over_square
from slidecaf.training.activation_maps import ActivationMaps
from slidecaf.training.augment import plain
from slidecaf.training.loop import arithmetic

THRESHOLD = 0.2
"""The share of a map's largest value from which on it is foreground (Zhou et al. 2016)."""


@dataclass(frozen=True)
class Crop:
    """What a network looks at in an image.

    Attributes
    ----------
    box : (int, int, int, int)
        x, y, width and height in px of the image.
    whole : bool
        Whether there is no region, and the box is the image.
    """

    box: tuple[int, int, int, int]
    whole: bool


def region(values, threshold: float) -> tuple[int, int, int, int] | None:
    """Find the largest connected region of large values.

    Parameters
    ----------
    values : array_like, shape (h, w)
    threshold : float
        A share of the largest value, from which on values are large.

    Returns
    -------
    (int, int, int, int) or None
        Left, top, right and bottom of its bounding box, the latter two not included; of two as large the upper one.
        None where no value is above 0, or all are alike.

    Examples
    --------
    >>> region([[0, 1, 0], [0, 4, 0], [2, 0, 0]], 0.2)
    (1, 0, 2, 2)
    """
    values = np.asarray(values)
    largest = values.max()
    if largest <= 0 or values.min() == largest:
        return None
    labels, _ = ndimage.label(values >= threshold * largest)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    down, across = ndimage.find_objects(labels)[sizes.argmax() - 1]
    return across.start, down.start, across.stop, down.stop


def crop_of(found, side: int, size: tuple[int, int], fit: str) -> Crop:
    """Tell where in an image a region of its square lies.

    Parameters
    ----------
    found : (int, int, int, int) or None
        From `region`, of a square.
    side : int
        The square's, in px.
    size : (int, int)
        Width and height of the image in px.
    fit : {"stretch", "pad"}
        How the image became the square.

    Returns
    -------
    Crop
        All px that the region touches. The whole image where it touches none.

    Examples
    --------
    >>> crop_of((10, 0, 60, 50), 100, (2000, 1000), "stretch").box
    (200, 0, 1000, 500)
    """
    whole = Crop((0, 0, *size), True)
    if found is None:
        return whole
    inside, edges = fitted(*size, side, fit), []
    for axis in range(2):
        offset, scale = (side - inside[axis]) // 2, size[axis] / inside[axis]
        start, stop = ((found[axis + end] - offset) * scale for end in (0, 2))
        edges.append((max(0, int(np.floor(start))), min(size[axis], int(np.ceil(stop)))))
    (left, right), (top, bottom) = edges
    return Crop((left, top, right - left, bottom - top), False) if left < right and top < bottom else whole


def look(
    network,
    squares: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
    *,
    threshold: float,
    fit: str,
    batch_size: int,
    device="cpu",
    precision: str = "fp32",
) -> tuple[list[Crop], np.ndarray]:
    """Find what a network looks at in each of some images, for the class that it predicts.

    Parameters
    ----------
    network : slidecaf.training.networks.Network
        On the device.
    squares : torch.Tensor of uint8, shape (n, c, S, S)
    sizes : sequence of (int, int)
        Width and height of each image in px.
    threshold, fit
        As for `region` and `crop_of`.
    batch_size : int
        Images that go through the network together; the last batch is filled up.
    device : str or torch.device, optional
    precision : {"fp32", "bf16"}, optional

    Returns
    -------
    crops : list of Crop
    logits : ndarray of float64, shape (n, K)
    """
    maps_of, side, crops, logits = ActivationMaps(network), network.input_size, [], []
    for start in range(0, len(squares), batch_size):
        some = plain(squares[start : start + batch_size], side)
        images = torch.zeros(batch_size, *some.shape[1:], dtype=torch.uint8)
        images[: len(some)] = some
        with arithmetic(torch.device(device), precision):
            maps, given = (found[: len(some)] for found in maps_of(images.to(device)))
        logits.append(given.double().numpy())
        own = maps[torch.arange(len(some)), given.argmax(1)].numpy()
        for values, size in zip(over_square(own, side, maps_of.border), sizes[start:], strict=False):
            crops.append(crop_of(region(values, threshold), side, size, fit))
    return crops, np.concatenate(logits)

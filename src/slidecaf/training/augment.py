"""What an epoch sees of an image: cropped and resized, turned, moved, sheared, stretched and mirrored (torchvision v2).

Everything is drawn from one generator an image and epoch, and always as many numbers: so an image looks the same
whatever the others are, in whatever order and on however many threads they are drawn.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as pixels

DRAWN = 12
"""Numbers from 0 to 1 that an image and epoch take."""


def seed_of(*parts) -> int:
    """Return a seed that depends on all of some texts and numbers.

    Parameters
    ----------
    *parts : str or int

    Returns
    -------
    int
        From 0 to 2**63 - 1.
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def augmented(image: torch.Tensor, size: int, settings, fill: Sequence[float], seed: int) -> torch.Tensor:
    """Draw an image as an epoch sees it.

    Parameters
    ----------
    image : torch.Tensor of uint8, shape (c, S, S)
    size : int
        The side of what is returned, in px.
    settings : slidecaf.study.config.Augment
    fill : sequence of float, c of them
        What is beside the image where it is turned or moved.
    seed : int
        The same seed gives the same picture.

    Returns
    -------
    torch.Tensor of uint8, shape (c, size, size)
    """
    drawn = torch.rand(DRAWN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()
    area, shape, down, across, angle, right, below, shear_x, shear_y, mirror, upset, turn = drawn
    image = _cropped(image, size, settings, area, shape, down, across)
    turned, moved, sheared = settings.rotate, settings.translate, settings.shear
    if turned or moved or sheared:
        image = pixels.affine(
            image,
            angle=turned * (2 * angle - 1),
            translate=[round(size * moved * (2 * share - 1)) for share in (right, below)],
            scale=1.0,
            shear=[sheared * (2 * share - 1) for share in (shear_x, shear_y)],
            interpolation=InterpolationMode.BILINEAR,
            fill=list(fill),
        )
    if settings.flip != "none" and mirror < 0.5:
        image = pixels.horizontal_flip(image)
    if settings.flip == "both" and upset < 0.5:
        image = pixels.vertical_flip(image)
    return torch.rot90(image, int(4 * turn), (1, 2)) if settings.quarter_turns else image


def _cropped(image, size, settings, area, shape, down, across):
    """Cut a part out, of a share of the area and a shape that is stretched, and resize it."""
    side = image.shape[1]
    area = side**2 * (settings.crop + (1 - settings.crop) * area)
    ratio = math.exp(math.log(1 + settings.stretch) * (2 * shape - 1))
    height, width = (min(side, max(1, round(math.sqrt(cut)))) for cut in (area / ratio, area * ratio))
    top, left = round((side - height) * down), round((side - width) * across)
    return pixels.resized_crop(image, top, left, height, width, [size, size], antialias=True)


def plain(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return images as they are judged: whole, resized.

    Parameters
    ----------
    images : torch.Tensor of uint8, shape (n, c, S, S)
    size : int

    Returns
    -------
    torch.Tensor of uint8, shape (n, c, size, size)
    """
    return pixels.resize(images, [size, size], antialias=True)

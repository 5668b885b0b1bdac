"""Masks of lesions: what of an image its maps are compared with.

Such a mask is a picture, of which the light part is the lesion: public collections have them as grey PNG with smoothed
edges, as palettes in any order and as JPEG. No number in them has a meaning of its own, as it has in a mask that a
segmentation learns from (`slidecaf.segmentation.masks`).
"""

import numpy as np
from PIL import Image

from slidecaf.errors import SlidecafError

BETWEEN = 0.1
"""Of the px that may be neither dark nor light: a tenth. HAM10000's, of 200 px, have 3 % at most."""

DEEP = "IF"
"""Modes of Pillow, by their first letter, that hold more than 256 shades."""

DARK, LIGHT = 0.1, 0.9
"""Shares of the lightest px, up to which one is dark, and from which on it is light."""


def read_lesion(path, size, *, slide: str) -> np.ndarray:
    """Read which px of an image a mask shows as its lesion.

    Parameters
    ----------
    path : path-like
        Of a picture. Lesion is what is lighter than half of its lightest px: of one with two shades the lighter one, of
        one with smoothed edges what they lie around. A black one shows no lesion.
    size : (int, int)
        Width and height of the image in px of level 0.
    slide : str
        What errors call the image.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    SlidecafError
        If it cannot be read, has another size than the image, or so many shades that it is no mask.
    """
    named = f"the mask of slide {slide!r}, {path},"
    try:
        with Image.open(path) as opened:
            if opened.size != tuple(size):
                raise SlidecafError(
                    f"{named} has {opened.size[0]} x {opened.size[1]} px and its image {size[0]} x {size[1]}; make "
                    "them equal, or leave column mask empty."
                )
            shades = np.asarray(opened if opened.mode[0] in DEEP else opened.convert("L"))
    except OSError as error:
        raise SlidecafError(f"{named} cannot be read ({error}); replace it, or leave column mask empty.") from error
    lightest = float(shades.max())
    between = ((shades > DARK * lightest) & (shades < LIGHT * lightest)).mean()
    if between > BETWEEN:
        raise SlidecafError(
            f"{named} has {between:.0%} of its px neither dark nor light, so that nobody can tell where the lesion "
            "ends; save it black and white, or leave column mask empty."
        )
    return shades > lightest / 2

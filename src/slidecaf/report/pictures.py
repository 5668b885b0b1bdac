"""Pictures inside the page: small enough that a report can be mailed."""

import base64
import io
import math

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

SLIDES_BYTES, PATCHES_BYTES = 12 * 2**20, 3 * 2**20
"""What pictures of slides and of patches may take in the page, as base64 text."""

IMAGES_BYTES, IMAGE_PATCHES_BYTES = 2 * 2**20, 3 * 2**19
"""The same where all methods take whole images, of which a few hundred are shown."""

PER_PIXEL = 0.6
"""Bytes of base64 for a pixel of tissue, as measured on real sections with `QUALITY`; a guess for the size to take."""

QUALITY = 80
SMALLEST, LARGEST = 160, 480
"""Px of the longer side of a slide in the page."""

SMALLEST_IMAGE = 72
"""The same of an image, which shows less."""

TILE, MISSED, FALSE = (24, 90, 140), (225, 20, 40), (225, 100, 0)
"""Outlines of patches, and hard examples as overlays colour them."""

VEIL = (128, 128, 128)
"""R, G and B that are laid over what is no tissue."""

CROWDED = 5
"""Px in a picture below which patches are not outlined one by one, but all together."""


class Album:
    """Pictures for one page, until their bytes are spent.

    Parameters
    ----------
    count : int
        How many pictures are expected; the more, the smaller each is.
    allowed : int
        Bytes of base64 text for all of them.
    smallest : int, optional
        Px of a picture's longer side at least.

    Attributes
    ----------
    side : int
        Px of a picture's longer side.
    left_out : int
        Pictures that had no room.
    """

    def __init__(self, count, *, allowed, smallest=SMALLEST):
        self.side = int(np.clip(math.sqrt(allowed / (max(count, 1) * PER_PIXEL)), smallest, LARGEST))
        self._room = allowed
        self.left_out = 0

    def put(self, picture, *, abreast=1) -> str | None:
        """Return a picture as a data URI, or None where there is no room left.

        Parameters
        ----------
        picture : PIL.Image.Image
            RGB; made smaller where it is larger than `side`.
        abreast : int, optional
            Pictures that it shows side by side, each of which may have that side.

        Returns
        -------
        str or None
        """
        uri = None if self._room <= 0 else data_uri(shrunk(picture, abreast * self.side))
        if uri is None or len(uri) > self._room:
            self._room = 0
            self.left_out += 1
            return None
        self._room -= len(uri)
        return uri


def data_uri(picture, *, quality=QUALITY) -> str:
    """Return a picture as text that stands in a page.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB.
    quality : int, optional
        Of the JPEG.

    Returns
    -------
    str
    """
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def shrunk(picture, longest):
    """Return a picture with its longer side at most `longest` px."""
    scale = longest / max(picture.size)
    if scale >= 1:
        return picture
    return picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.BOX)


def open_picture(path, longest):
    """Read a JPEG file, made smaller while it is decoded.

    Parameters
    ----------
    path : path-like
    longest : int
        The side, in px, below which its longer side need not be.

    Returns
    -------
    PIL.Image.Image
        RGB, of its full size or a half, quarter or eighth of it.
    """
    with Image.open(path) as picture:
        picture.draft("RGB", (longest, longest))
        return picture.convert("RGB")


def without_legend(overlay, width, height):
    """Cut the slide out of an overlay, whose legend stands below it.

    Parameters
    ----------
    overlay : PIL.Image.Image
        As `slidecaf.segmentation.overlay.overlay` made it, or made smaller.
    width, height : int
        Of the slide at level 0.

    Returns
    -------
    PIL.Image.Image
    """
    from slidecaf.segmentation.overlay import LEGEND_WIDTH
    from slidecaf.slides.thumbnail import LONGEST

    scale = max(1, max(width, height) / LONGEST)
    drawn = max(1, round(width / scale)), max(1, round(height / scale))
    smaller = overlay.width / max(drawn[0], LEGEND_WIDTH)
    return overlay.crop((0, 0, *(max(1, round(side * smaller)) for side in drawn)))


def outline_tiles(picture, coords, size, width, height):
    """Draw where a slide's patches are.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of the whole slide, RGB; drawn upon.
    coords : ndarray of int64, shape (N, 2)
        x and y of the patches at level 0.
    size : int
        Their side in px of level 0.
    width, height : int
        Of the slide at level 0.

    Returns
    -------
    PIL.Image.Image
        The same picture. Where patches or the steps between them are too small to see, the outline of their union.
    """
    if not len(coords):
        return picture
    scale = np.array([picture.width / width, picture.height / height])
    corners = np.concatenate([coords, coords + size], axis=1) * np.tile(scale, 2)
    steps = [np.diff(np.unique(coords[:, k])).min(initial=size) for k in (0, 1)]
    if min(size, *steps) * scale.min() >= CROWDED:
        draw = ImageDraw.Draw(picture)
        for left, top, right, bottom in corners.round().astype(int).tolist():
            draw.rectangle((left, top, min(right, picture.width - 1), min(bottom, picture.height - 1)), outline=TILE)
        return picture
    covered = np.zeros((picture.height + 1, picture.width + 1), np.int32)
    left, top, right, bottom = np.clip(corners.round().astype(int), 0, [*picture.size, *picture.size]).T
    for rows, columns, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(covered, (rows, columns), sign)
    inside = covered.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0
    pixels = np.asarray(picture).copy()
    pixels[inside & ~binary_erosion(inside, np.ones((3, 3)), iterations=2)] = TILE
    return Image.fromarray(pixels)


def veil(picture, tissue):
    """Lay a grey veil over what is no tissue.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of the whole slide, RGB.
    tissue : ndarray of bool, shape (h, w)
        Over the whole slide.

    Returns
    -------
    PIL.Image.Image
    """
    mask = Image.fromarray(tissue).resize(picture.size, Image.Resampling.NEAREST)
    return Image.composite(picture, Image.blend(picture, Image.new("RGB", picture.size, VEIL), 0.5), mask)


def mark_points(picture, points, width, height):
    """Draw places of two kinds on a slide.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of the whole slide, RGB; drawn upon.
    points : list of (float, float, str)
        x and y at level 0, and ``missed`` or ``false``.
    width, height : int
        Of the slide at level 0.

    Returns
    -------
    PIL.Image.Image
        The same picture.
    """
    draw, radius = ImageDraw.Draw(picture), max(1, max(picture.size) / 160)
    for x, y, kind in points:
        middle = x * picture.width / width, y * picture.height / height
        box = [middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius]
        draw.ellipse(box, fill=MISSED if kind == "missed" else FALSE)
    return picture

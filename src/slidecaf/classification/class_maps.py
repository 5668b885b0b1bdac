"""Pictures of where images show a class: a map over the picture, what of it is foreground, and how both suit a mask.

Foreground Fisher vectors (`slidecaf.classification.fisher.maps`) and networks trained here
(`slidecaf.classification.activation`) make the values; all else of a map is here. `slidecaf.classification.drawn` reads
values back from a drawing.
"""

import json
from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from slidecaf.classification.lesion_masks import read_lesion
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.atomic import atomic
from slidecaf.files.manifests import slide_files
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.logs import logger
from slidecaf.slides import Limits, open_slide
from slidecaf.slides.thumbnail import UNREAD, thumbnail
from slidecaf.tiles.whole import enlarged, fitted, over_square

LONGEST = 256
"""Px of the longer side of each of a map's pictures."""

GAP = 8
"""Px between them."""

RAMP = np.array([[40, 10, 80], [200, 50, 70], [255, 230, 90]], float)
"""R, G and B of 0, of a map's middle value, and of twice that or more."""

OUTLINE = ((255, 255, 255), (0, 0, 0))
"""R, G and B of the outline of what a second stage sees, from outside."""

OPACITY = 0.55
"""Of the map over the picture."""

BACKGROUND = 0.12
"""How much of the picture is seen where it is no foreground."""

COLUMNS = ("slide", "split", "fold", "threshold", "foreground", "auc")
"""Of the table of maps."""

OF_NETWORKS = ("class", "kind", "covered")
"""Columns that it has beside these of networks: the class that the map is of, cam or grad-cam, and of two stages the
share of the mask that lies in what the second one sees."""


@contextmanager
def opened_image(slide, path, own: Mapping, mask, *, limits: Mapping):
    """Open an image that a map is drawn of; its mask has to be meant for it as it is stored.

    Parameters
    ----------
    slide : str
    path : path-like
    own : mapping
        ``scene`` and, where the sheet has it, ``mpp``.
    mask : path-like
        Empty where it has none.
    limits : mapping
        As for `slidecaf.slides.Limits.from_config`.

    Yields
    ------
    slidecaf.slides.Slide

    Raises
    ------
    SlidecafError
        If it cannot be opened, or is shown turned and has a mask.
    """
    named = {"name": slide, "scene": own["scene"], "mpp": own.get("mpp")}
    with open_slide(path, **named, limits=Limits.from_config(limits)) as opened:
        if mask and opened.orientation != 1:
            raise SlidecafError(
                f"slide {slide}: {path} says that it is shown turned (orientation {opened.orientation}), and {mask} "
                "may be meant for either; save the slide with its px turned and without that tag, or leave column mask "
                "empty."
            )
        yield opened


def picture_of(opened) -> np.ndarray:
    """Return an image as a map shows it: ndarray of uint8, shape (h, w, 3), `LONGEST` px at most."""
    return thumbnail(opened, longest=LONGEST)


def unread_picture(error: SlideError, on_bad_slide: str) -> np.ndarray:
    """Return a grey picture in place of an image that cannot be read, or raise why.

    Parameters
    ----------
    error : SlideError
    on_bad_slide : {"fail", "exclude"}

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    if on_bad_slide == "fail":
        raise error
    logger.warning("left out: %s", error)
    return np.full((LONGEST // 4, LONGEST, 3), UNREAD, np.uint8)


def draw(picture, values, threshold, middle=None, attention=None) -> Image.Image:
    """Draw a picture, a map over it, and what of it is foreground, side by side; beside these attention over it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
    values : ndarray, shape (h, w)
        NaN where there are none.
    threshold : float
        What is above is foreground.
    middle : float, optional
        The value in the middle of the colours, twice which or more ends them; by default the threshold.
    attention : ndarray, shape (h, w), optional
        Where the network looks, from 0; the largest value ends its colours.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    grey = picture.mean(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        kept = np.where((values > threshold)[..., None], picture, 255 - BACKGROUND * (255 - grey))
    parts = [picture, laid_over(picture, values, middle or threshold), kept]
    if attention is not None:
        parts.append(laid_over(picture, attention, np.nanmax(attention) / 2))
    return side_by_side(parts)


def laid_over(picture, values, middle) -> np.ndarray:
    """Lay values over a picture in grey; where there are none it keeps its colours.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
    values : ndarray, shape (h, w)
        NaN where there are none.
    middle : float
        The value in the middle of the colours, twice which or more ends them.

    Returns
    -------
    ndarray of float64, shape (h, w, 3)
    """
    grey = picture.mean(axis=2, keepdims=True)
    place = np.clip(np.nan_to_num(values) / (middle or 1), 0, 2)
    colours = np.stack([np.interp(place, [0, 1, 2], RAMP[:, channel]) for channel in range(3)], axis=2)
    return np.where(~np.isnan(values)[..., None], (1 - OPACITY) * grey + OPACITY * colours, picture)


def side_by_side(pictures) -> Image.Image:
    """Join pictures of one height, with `GAP` px of white between them.

    Parameters
    ----------
    pictures : sequence of ndarray, shape (h, w, 3)

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    paper, parts = np.full((len(pictures[0]), GAP, 3), 255), []
    for picture in pictures:
        parts += [paper, picture]
    return Image.fromarray(np.concatenate(parts[1:], axis=1).astype(np.uint8))


def write_map(path, drawn: Image.Image, said: Mapping) -> None:
    """Write a map as PNG.

    Parameters
    ----------
    path : path-like
    drawn : PIL.Image.Image
        From `draw`.
    said : mapping of str to object
        What the file says of it in its texts: numbers, text, or None, which is empty.
    """
    texts = PngInfo()
    for key, value in said.items():
        texts.add_text(key, "" if value is None else value if isinstance(value, str) else repr(value))
    with atomic(path) as partial:
        drawn.save(partial, "PNG", pnginfo=texts)


def over_image(maps, side: int, border: int, size, fit: str, shape) -> np.ndarray:
    """Lay maps of a square over the image that it was made of.

    Parameters
    ----------
    maps : ndarray, shape (K, h, w)
    side : int
        The square's, in px.
    border : int
        Places at each side of the square that maps lack: they have the values of the outermost ones.
    size : (int, int)
        Width and height of the image in px.
    fit : {"stretch", "pad"}
        How it became the square.
    shape : (int, int)
        Height and width wanted.

    Returns
    -------
    ndarray of float32, shape (K, *shape)
    """
    wide = over_square(maps, side, border)
    width, height = fitted(*size, side, fit)
    left, top = (side - width) // 2, (side - height) // 2
    return enlarged(wide[:, top : top + height, left : left + width], shape)


def read_maps(path) -> dict:
    """Read the maps of all classes from a file's texts.

    Parameters
    ----------
    path : path-like
        That `slidecaf.classification.activation.draw_activations` wrote.

    Returns
    -------
    dict
        ``classes``, ``class`` (the one predicted), ``maps`` (ndarray of float32, shape (K, h, w)), ``side``,
        ``border``, ``size`` (of the image), ``fit``, and ``box`` of two stages, else None. Empty of an image that could
        not be read.
    """
    with Image.open(path) as opened:
        said = dict(opened.text)
    if "maps" not in said:
        return {}
    given = json.loads(said["maps"])
    return {**given, "class": said["class"], "maps": np.array(given["maps"], np.float32)}


def outline(drawn: Image.Image, box, size, left: int, shape) -> None:
    """Outline a box of an image in its picture.

    Parameters
    ----------
    drawn : PIL.Image.Image
        Changed in place.
    box : (int, int, int, int)
        x, y, width and height in px of the image.
    size : (int, int)
        Width and height of the image in px.
    left : int
        Where the picture begins in `drawn`, in px.
    shape : (int, int, ...)
        Height and width of the picture.
    """
    across, down = shape[1] / size[0], shape[0] / size[1]
    x, y, width, height = box
    edges = left + x * across, y * down, left + (x + width) * across - 1, (y + height) * down - 1
    if edges[2] - edges[0] < 2 * len(OUTLINE) or edges[3] - edges[1] < 2 * len(OUTLINE):
        return  # it would hide what it shows
    pen = ImageDraw.Draw(drawn)
    for inset, colour in enumerate(OUTLINE):
        pen.rectangle((edges[0] + inset, edges[1] + inset, edges[2] - inset, edges[3] - inset), outline=colour)


def read_mask(path, size, shape, *, slide: str) -> np.ndarray:
    """Read the mask of an image, as large as its map.

    Parameters
    ----------
    path, size, slide
        As for `slidecaf.classification.lesion_masks.read_lesion`.
    shape : (int, int)
        Height and width of the map.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    SlidecafError
        If the mask cannot be taken.
    """
    lesion = read_lesion(path, size, slide=slide)
    small = Image.fromarray((255 * lesion).astype(np.uint8)).resize(shape[::-1], Image.Resampling.BOX)
    return np.asarray(small) > 127


def area_under_curve(values, mask) -> float | None:
    """Return how often a pixel of the lesion has a larger value than one beside it.

    Parameters
    ----------
    values : ndarray, shape (h, w)
        NaN is left out.
    mask : ndarray of bool, shape (h, w)

    Returns
    -------
    float or None
        None where one of the two is missing.
    """
    from sklearn.metrics import roc_auc_score

    known = ~np.isnan(values)
    truth = mask[known]
    return float(roc_auc_score(truth, values[known])) if 0 < truth.sum() < truth.size else None


def write_map_scores(path, manifests, *, folds, splits) -> None:
    """Write what maps say of themselves as a table, a row a slide: ``maps.tsv``.

    Parameters
    ----------
    path : path-like
    manifests : sequence of path-like
        Of maps.
    folds : path-like
        The table of folds.
    splits : mapping of str to str
        Slide to ``train`` or ``test``.

    Raises
    ------
    SlidecafError
        If a map is missing.
    """
    fold_of, rows = {row["slide"]: row["fold"] for row in read_tsv(folds)}, []
    for slide, file in sorted(slide_files(manifests).items()):
        with Image.open(file.path) as opened:
            said = dict(opened.text)
        rows.append({"slide": slide, "split": splits[slide], "fold": fold_of.get(slide, ""), **said})
    further = [column for column in OF_NETWORKS if any(column in row for row in rows)]
    write_tsv(path, [*COLUMNS, *further], rows)

"""Segmentations laid over their slides, as in the paper's Figure 6."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import maximum_filter, minimum_filter

from slidecaf.segmentation.cells import Cells
from slidecaf.slides import thumbnail


@dataclass(frozen=True)
class Mark:
    """How a class of pixels is drawn.

    Attributes
    ----------
    meaning : str
        In the legend.
    fill : tuple of int
        R, G, B of its area, laid thinly over the tissue.
    outline : tuple of int
        R, G, B of its border, which stands out from tissue of any stain.
    """

    meaning: str
    fill: tuple[int, int, int]
    outline: tuple[int, int, int]


TRUE = Mark("predicted and true", (130, 40, 220), (80, 0, 160))

MISSED = Mark("missed (true, not predicted)", (255, 160, 160), (225, 20, 40))

FALSE = Mark("false (predicted, not true)", (255, 150, 0), (225, 100, 0))

PREDICTED = Mark("predicted (no mask to compare)", (0, 110, 255), (0, 60, 200))

UNREAD = Mark("could not be read", thumbnail.UNREAD, thumbnail.UNREAD)

OPACITY = 45
"""Of the fills over the tissue, in per cent. Outlines are opaque."""

PREDICTED_ROWS = 256
"""Rows of px that are compared at once where there is no mask."""

LEGEND_WIDTH = 480
"""The least width of a picture, in px, so that the legend fits under a slide of any size."""

LEGEND_PAPER, LEGEND_INK = (245, 245, 245), (20, 20, 20)
"""Colours of the legend."""


def overlay(slide, cells, predicted, truth_strips, *, title):
    """Lay a segmentation over its slide, with a legend below (paper, Figure 6).

    Purple is predicted and true, pale red is missed (true, not predicted), orange is false (predicted, not true).
    Without a mask to compare, what is predicted is blue. A pixel of the picture counts as true or predicted where more
    than half of the pixels that it stands for are.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    cells : slidecaf.segmentation.cells.Cells
        Of the slide.
    predicted : ndarray of bool, shape (rows, columns)
        One value a cell.
    truth_strips : iterable of ndarray of bool, shape (h, width), or None
        The rows of the mask from top to bottom; None where there is no mask.
    title : str
        What the legend says above the colours: slide, variant, score, and whether weights or study are artificial.
        Long lines are wrapped.

    Returns
    -------
    PIL.Image.Image
        RGB. The slide is its upper left part, as `thumbnail` gives it; below is the legend.

    Raises
    ------
    SlideError
        If nothing of the slide can be read.
    """
    pixels, unread = thumbnail.average(slide, thumbnail.LONGEST)
    marks = (PREDICTED,) if truth_strips is None else (TRUE, MISSED, FALSE)
    picture = _paint(pixels, _classes(cells, predicted, truth_strips, unread.shape), marks)
    return _with_legend(picture, title, (*marks, UNREAD) if unread.any() else marks)


def placeholder(title):
    """Draw the picture of a slide that could not be opened: its title alone.

    Parameters
    ----------
    title : str

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    return _with_legend(Image.new("RGB", (LEGEND_WIDTH, LEGEND_WIDTH // 4), UNREAD.fill), title, (UNREAD,))


def _classes(cells, predicted, truth_strips, shape):
    """Compare prediction and truth in a grid over the slide.

    Returns
    -------
    ndarray of uint8, shape `shape`
        0 where nothing is marked; 1 true, 2 missed, 3 false; without a mask, 1 predicted.
    """
    width, height = int(cells.cuts_x[-1]), int(cells.cuts_y[-1])
    grid = Cells(thumbnail.cuts(width, shape[1]), thumbnail.cuts(height, shape[0]))

    def compared():
        if truth_strips is None:
            for top in range(0, height, PREDICTED_ROWS):
                yield cells.expand(predicted, top, min(height, top + PREDICTED_ROWS))[None]
            return
        top = 0
        for strip in truth_strips:
            yield np.stack([cells.expand(predicted, top, top + len(strip)), strip])
            top += len(strip)

    found, *true = 2 * grid.count(compared()) > grid.areas
    if truth_strips is None:
        return found.astype(np.uint8)
    return np.select([found & true[0], true[0], found], [1, 2, 3]).astype(np.uint8)


def _paint(pixels, classes, marks):
    """Tint each class, and draw its outline inside it."""
    side = 3 if max(classes.shape) < thumbnail.LONGEST // 2 else 5
    lowest, highest = (extreme(classes, side, mode="nearest") for extreme in (minimum_filter, maximum_filter))
    edge = (lowest != highest)[..., None]
    fill = np.array([(0, 0, 0), *(mark.fill for mark in marks)], np.uint16)[classes]
    outline = np.array([(0, 0, 0), *(mark.outline for mark in marks)], np.uint16)[classes]
    tinted = (pixels.astype(np.uint16) * (100 - OPACITY) + fill * OPACITY + 50) // 100
    marked = np.where(edge, outline, tinted)
    return Image.fromarray(np.where(classes[..., None] > 0, marked, pixels).astype(np.uint8))


def _with_legend(picture, title, marks):
    """Put a picture onto a canvas with a title and the meaning of its colours below."""
    width = max(picture.width, LEGEND_WIDTH)
    size = min(max(width // 60, 14), 24)
    font, gap, line = ImageFont.load_default(size), size // 2, size * 3 // 2
    lines = _wrapped(title, font, width - 2 * gap)
    places, x, y = [], gap, gap + line * len(lines)
    for mark in marks:
        needed = size + gap + int(font.getlength(mark.meaning)) + 1
        if x > gap and x + needed > width - gap:
            x, y = gap, y + line
        places.append((x, y))
        x += needed + 2 * gap
    canvas = Image.new("RGB", (width, picture.height + y + line + gap), LEGEND_PAPER)
    canvas.paste(picture, (0, 0))
    draw, top = ImageDraw.Draw(canvas), picture.height
    for number, text in enumerate(lines):
        draw.text((gap, top + gap + line * number), text, LEGEND_INK, font)
    for (x, y), mark in zip(places, marks, strict=True):
        box = (x, top + y + 2, x + size, top + y + 2 + size)
        draw.rectangle(box, fill=mark.fill, outline=mark.outline, width=2)
        draw.text((x + size + gap, top + y), mark.meaning, LEGEND_INK, font)
    return canvas


def _wrapped(text, font, width):
    """Break a text into lines that fit a width in px, between words, or within one that is too long."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while font.getlength(word) > width:
                fits = max(n for n in range(1, len(word)) if n == 1 or font.getlength(word[:n]) <= width)
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return lines

"""Masks: which pixels of a slide are necrosis or hemorrhage, by strips (paper, section 3.3).

A mask is a PNG or TIFF file of the slide's size, or of the size of its bounds, which QuPath shows as the whole image;
or the annotations that QuPath exports as GeoJSON, which count px from the corner of the bounds.
What counts are numbers and no colours: 0 is background and another value foreground, or the config's `mask_value` is.
They are the file's own, palette indices too, but grey whose 0 is white is turned round (`mask_files`).
"""

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import machine_fault, reason_of, unread
from slidecaf.segmentation import mask_values
from slidecaf.segmentation.mask_files import open_mask
from slidecaf.segmentation.mask_values import CHANNEL_KEY, CLASS_KEY, VALUE_KEY, Foreground, MaskProblem, name_values
from slidecaf.slides.base import LIMITS


class Mask:
    """A mask that is read once from top to bottom, by `strips` or `look`, and what was seen of it.

    Of TIFF, a row of tiles or a strip is held at once, or, without compression, a few rows. PNG allows no parts; it is
    decoded whole, at its own depth. An opaque alpha channel is passed over; colours that PNG declares transparent are
    values like others.

    Parameters
    ----------
    path : path-like
        PNG or TIFF, with whole numbers: grey, palette or RGB; or GeoJSON.
    slide : str
        The slide's id, for errors, as are `row` and `column`.
    row : int
        The sheet's row.
    column : str
        The sheet's column: mask or hemorrhage. The config's keys concern mask alone.
    width, height : int
        Of the slide at level 0.
    bounds : (int, int, int, int), optional
        Of the slide: x, y, width and height. A mask that is as large as they are lies there, and beyond it is
        background. One that is as large as the slide lies on all of it.
    mask_value : int, optional
        The grey value or palette index that is foreground; all others are background. Of grey whose 0 is white it is
        the value after that was turned round: 255 is white. Without it, any value but 0 is foreground (of RGB: any
        channel but 0), and there may be two values, one of them 0, or a single one.
    mask_channel : int or str, optional
        Number from 0, or name, of the channel that is meant where a TIFF file holds several.
    mask_class : sequence of str, optional
        The classes of annotations that are foreground. Without it all are, and have to be of one class.
    limits : slidecaf.slides.Limits, optional
        How many pixels may be decoded at once.

    Attributes
    ----------
    size : (int, int) or None
        The file's width and height, once something was read.
    """

    def __init__(
        self,
        path,
        *,
        slide,
        row,
        column,
        width,
        height,
        bounds=None,
        mask_value=None,
        mask_channel=None,
        mask_class=None,
        limits=LIMITS,
    ):
        self._path, self._named = Path(path), f"row {row}, column {column}: the mask of slide {slide!r}, {path},"
        self._slide, self._bounds = (width, height), bounds or (0, 0, width, height)
        self._column, concerned = column, column == "mask"
        self._value, self._channel = (mask_value, mask_channel) if concerned else (None, None)
        self._class = mask_class if concerned else None
        self._channel_key = CHANNEL_KEY if concerned else ""
        self._foreground, self._limits = Foreground(self._value, key=VALUE_KEY if concerned else ""), limits
        self.size = None

    @property
    def marked(self) -> int:
        """How many px of what was read are foreground."""
        return self._foreground.marked

    @property
    def pixels(self) -> int:
        """How many px of the file were read."""
        return self._foreground.pixels

    @property
    def values(self) -> str:
        """The values that were seen, as a text: all of a mask without foreground, or the first few of many."""
        return name_values(self._foreground.values)

    @property
    def warning(self) -> str:
        """What looks wrong once all was read, as a sentence; empty where nothing does."""
        if self._class and self._foreground.classes and not set(self._class) & set(self._foreground.classes):
            held = ", ".join(name or "none" for name in self._foreground.classes)
            return (
                f"{self._named} has no object of {CLASS_KEY}: {', '.join(self._class)} and objects of {held}; correct "
                f"{CLASS_KEY}, or the mask, unless it is meant to be empty."
            )
        if self._value is None or self.marked or not set(self._foreground.values) - {(0,)}:
            return ""
        return (
            f"{self._named} has no pixel of {VALUE_KEY}: {self._value} and holds {self.values}; correct {VALUE_KEY}, "
            "or the mask, unless it is meant to be empty."
        )

    def strips(self, rows=256):
        """Read the mask as it lies on the slide.

        Parameters
        ----------
        rows : int, optional
            Of each strip but the last, whatever the file's layout, so that strips of two masks fit together.

        Yields
        ------
        ndarray of bool, shape (h, width)
            True for foreground.

        Raises
        ------
        SlidecafError
            If there is no such file, if it is no PNG, TIFF or GeoJSON, or damaged, or of another size, or of pixels
            that are not supported, if annotations are of several classes and none was chosen, if it holds several
            channels and none was chosen, if an alpha channel is not opaque, or if the values are not two, one of them
            0. Values are looked at as strips are taken: only who takes all of them
            knows that the mask is good.
        """
        with self._errors():
            yield from _strips(self._laid(), rows)

    def look(self, most=None) -> None:
        """Read the mask, and keep nothing but what was seen.

        Parameters
        ----------
        most : int, optional
            Of a larger TIFF file bands at even distances are read, some so many px.

        Raises
        ------
        SlidecafError
            As `strips`, if what was read will not do.
        """
        with self._errors():
            for _ in self._bands(most):
                pass

    def _bands(self, most=None):
        sizes = list(dict.fromkeys([self._slide, self._bounds[2:]]))
        bands = open_mask(
            self._path,
            sizes,
            self._foreground,
            self._limits,
            column=self._column,
            channel=self._channel,
            key=self._channel_key,
            wanted=self._class,
            most=most,
        )
        self.size = next(bands)
        return bands

    def _laid(self):
        """Yield bands of the slide's width."""
        bands = self._bands()
        if self.size == self._slide:
            yield from bands
            return
        (width, height), (left, top, *_) = self._slide, self._bounds
        yield from _empty(min(max(0, top), height), width)
        row = top
        for band in bands:
            # bounds may reach beyond the slide's border
            inside = band[max(0, -row) : max(0, height - row), max(0, -left) : max(0, width - left)]
            row += len(band)
            if inside.size:
                before = max(0, left)
                yield np.pad(inside, ((0, 0), (before, width - before - inside.shape[1])))
        yield from _empty(height - min(max(0, row), height), width)

    @contextmanager
    def _errors(self):
        """Put the mask before a problem; turn whatever a library raises over the file into an error."""
        try:
            yield
        except MaskProblem as problem:
            raise SlidecafError(f"{self._named} {problem}.") from None
        except SlidecafError:
            raise
        # A damaged file makes libraries raise anything: their own errors, struct.error, KeyError.
        except Exception as error:
            if machine_fault(error):
                raise unread(self._named, error) from error
            raise SlidecafError(
                f"{self._named} cannot be read ({reason_of(error)}); take an undamaged copy, or save it again as PNG "
                "or TIFF."
            ) from error


def mask_strips(path, *, rows=256, **options):
    """Read a mask from top to bottom, where nothing else is asked of it.

    Parameters
    ----------
    path : path-like
    rows : int, optional
        As of `Mask.strips`.
    **options
        As of `Mask`.

    Yields
    ------
    ndarray of bool, shape (h, width)
        True for foreground.

    Raises
    ------
    SlidecafError
        As `Mask.strips`.
    """
    yield from Mask(path, **options).strips(rows)


def _empty(rows, width):
    """Yield bands of background."""
    step = max(1, mask_values.PIECE // width)
    for top in range(0, rows, step):
        yield np.zeros((min(step, rows - top), width), bool)


def _strips(bands, rows):
    """Cut bands of any heights into strips of `rows` rows, and a last one of the rest."""
    held, count = [], 0
    for band in bands:
        rest = band
        while len(rest):
            taken, rest = rest[: rows - count], rest[rows - count :]
            held.append(taken)
            count += len(taken)
            if count == rows:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)

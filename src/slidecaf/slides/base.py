"""What a slide offers, whichever library reads its file."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.faults import machine_fault, reason_of, unread
from slidecaf.logs import logger

PLAUSIBLE_MPP = (0.01, 50.0)
"""Micrometres a pixel that a file may state; outside are the 72 dots an inch of programs that know no resolution."""


SQUARE = 1.02
"""Px whose sides differ by more than this factor are not taken for square; scanners differ by less."""


@dataclass(frozen=True)
class Limits:
    """How large a slide or mask may say that it is: a file of some bytes can claim any size.

    Attributes
    ----------
    pixels : int
        Of level 0. The default is more than a slide of 52 x 76 mm has at 0.25 micrometres a pixel.
    decoded : int
        Decoded at once where a file's format allows no smaller part: a whole PNG or JPEG file, a tile or strip of
        TIFF. With some 4 bytes a pixel, and up to 16 while it is decoded, this bounds memory.
    """

    pixels: int = 100_000 * 10**6
    decoded: int = 500 * 10**6

    @classmethod
    def from_config(cls, config) -> "Limits":
        """Take the limits from a config.

        Parameters
        ----------
        config : mapping
            With ``max_megapixels`` and ``max_decoded_megapixels``.

        Returns
        -------
        Limits
        """
        return cls(*(round(config[key] * 10**6) for key in ("max_megapixels", "max_decoded_megapixels")))

    def check_decoded(self, width, height, what="the image") -> None:
        """Refuse pixels that would be too many to be decoded at once.

        Parameters
        ----------
        width, height : int
        what : str, optional
            What has so many pixels.

        Raises
        ------
        ValueError
            If they are more than `decoded`.
        """
        if width * height > self.decoded:
            raise ValueError(
                f"{what} of {width} x {height} px cannot be decoded at once, too many for the config's "
                f"max_decoded_megapixels: {self.decoded / 10**6:g}"
            )


LIMITS = Limits()
"""The config's defaults."""


def whole_tiles(width, height, *, side=1024) -> tuple[int, int]:
    """Return the largest block of whole tiles with sides up to `side` px, in which no tile is read twice.

    Parameters
    ----------
    width, height : int
        Of a tile in px. A larger tile than the block is split.
    side : int, optional

    Returns
    -------
    (int, int)
        Width and height in px.
    """
    return side - side % width or side, side - side % height or side


@dataclass(frozen=True)
class Level:
    """One resolution of a slide.

    Attributes
    ----------
    width, height : int
        In px of this level.
    downsample : float
        Px of level 0 for one px of this level, the mean of both directions.
    block : (int, int)
        Width and height of the regions by which the whole level is best read: of whole tiles or strips, and
        small in memory.
    tile : (int, int) or None
        Width and height of the file's own tiles, where they are cheap to read one by one.
    """

    width: int
    height: int
    downsample: float
    block: tuple[int, int] = (1024, 1024)
    tile: tuple[int, int] | None = None


class Slide(ABC):
    """An open slide: regions of RGB pixels at one or more levels.

    Use it in a ``with`` statement, or call `close`. Regions may be read from several threads at once. Pixels are
    as stored: colour profiles and orientation tags (EXIF, TIFF) are not applied, as in OpenSlide.

    Attributes
    ----------
    name : str
        The slide's id, for errors.
    path : path-like
    width, height : int
        In px of level 0.
    mpp : float or None
        Micrometres a pixel of level 0: the sheet's, or else the file's where that is plausible, the mean of both
        directions.
    mpp_from : {"sheet", "file", ""}
        Where it comes from; empty where it is not known.
    file_mpp : (float, float) or None
        Micrometres a pixel of level 0, across and down, as the file says them, where that is plausible.
    magnification : float or None
        Of the objective, where the file says it.
    levels : tuple of Level
        Level 0 is the full resolution.
    bounds : (int, int, int, int)
        x, y, width and height, in px of level 0, of what was scanned, as the file says it: some programs show it as the
        whole image. The whole slide where the file does not say it.
    orientation : int
        How the file says that it is to be shown, as EXIF and TIFF number it: 1 is upright, and so is a file that does
        not say it.
    recolour : callable or None
        What is done to the pixels of every region that is read: None, unless `slidecaf.slides.stain.normalise` set it.
    """

    def __init__(
        self,
        name,
        path,
        levels,
        *,
        mpp,
        limits=LIMITS,
        file_mpp=None,
        magnification=None,
        bounds=None,
        orientation=1,
    ):
        if levels[0].width * levels[0].height > limits.pixels:
            raise SlideError(
                f"slide {name}: {path} has {levels[0].width} x {levels[0].height} px, more than the config's "
                f"max_megapixels: {limits.pixels / 10**6:g}; take an undamaged copy, or raise it."
            )
        self.name, self.path, self.levels = name, path, tuple(levels)
        low, high = PLAUSIBLE_MPP
        self.file_mpp = file_mpp if file_mpp is not None and all(low <= side <= high for side in file_mpp) else None
        self.mpp_from = "sheet" if mpp is not None else "file" if self.file_mpp else ""
        self.mpp = mpp if mpp is not None else sum(self.file_mpp) / 2 if self.file_mpp else None
        self.magnification = magnification
        self.bounds = bounds or (0, 0, self.width, self.height)
        self.orientation = orientation
        if orientation != 1:
            logger.warning("slide %s: %s says that it is shown turned; it is read as stored.", name, path)
        self.recolour = None
        self._closed = False

    @property
    def is_square(self) -> bool:
        """Whether its px are as wide as they are high, as far as is known; the sheet's resolution is taken for both."""
        if self.mpp_from != "file":
            return True
        across, down = self.file_mpp
        return max(across, down) <= SQUARE * min(across, down)

    @property
    def width(self) -> int:
        """The width in px of level 0."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """The height in px of level 0."""
        return self.levels[0].height

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self) -> None:
        """Let go of the file; no region can be read any more."""
        self._closed = True
        self._release()

    @abstractmethod
    def _release(self):
        """Let go of the file."""

    @abstractmethod
    def _read(self, x, y, width, height, level):
        """Read a region that lies inside the level; what the library raises may pass."""

    def read(self, x, y, width, height, level=0) -> np.ndarray:
        """Read a region.

        Parameters
        ----------
        x, y : int
            Its upper left corner, in px of the level.
        width, height : int
            From 1, in px of the level. The region must lie inside the level.
        level : int, optional

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB, contiguous and writable; what is transparent is laid on white.

        Raises
        ------
        SlideError
            If the region cannot be read. Others of the slide may still be.
        ValueError
            If the region does not lie inside the level, or the slide is closed.
        """
        if self._closed:
            raise ValueError(f"slide {self.name} is closed")
        inside = self._level(level)
        if not (0 <= x < x + width <= inside.width and 0 <= y < y + height <= inside.height):
            raise ValueError(
                f"{width} x {height} px at ({x}, {y}) do not lie inside level {level} of slide {self.name}, "
                f"which has {inside.width} x {inside.height}"
            )
        what = f"{width} x {height} px at ({x}, {y}) of level {level}"
        with slide_errors(self.name, self.path, f"{what} cannot be read"):
            region = self._read(int(x), int(y), int(width), int(height), level)
            if self.recolour is not None:
                region = self.recolour(region)
            return np.require(region, requirements=["C_CONTIGUOUS", "WRITEABLE"])

    def read_padded(self, x, y, width, height, level=0) -> np.ndarray:
        """Read a region that may lie partly or wholly beyond the border.

        Parameters
        ----------
        x, y, width, height : int
            As for `read`, but anywhere.
        level : int, optional

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            Pixels beyond the border are the level's own, reflected about its border pixels as often as needed
            (``numpy.pad(mode="reflect")``). Only what the region shows is read.

        Raises
        ------
        SlideError, ValueError
            As `read`.
        """
        inside = self._level(level)
        if x >= 0 and y >= 0 and x + width <= inside.width and y + height <= inside.height:
            return self.read(x, y, width, height, level)
        columns, rows = _reflect(x, width, inside.width), _reflect(y, height, inside.height)
        left, top = columns.min(), rows.min()
        region = self.read(left, top, columns.max() + 1 - left, rows.max() + 1 - top, level)
        return region[(rows - top)[:, None], columns - left]

    def best_level(self, downsample) -> int:
        """Choose the level to read from: the coarsest that is still fine enough.

        Parameters
        ----------
        downsample : float
            Px of level 0 for one px wanted, above 0.

        Returns
        -------
        int
            The level with the largest downsample up to the one wanted, or 1 % above: a level of 1110 px
            stands for 4443 px at 4.003, and is meant to be a quarter.
        """
        fine = [i for i, level in enumerate(self.levels) if level.downsample <= 1.01 * downsample]
        return max(fine, key=lambda i: self.levels[i].downsample, default=0)

    def _level(self, level):
        if not 0 <= level < len(self.levels):
            raise ValueError(f"slide {self.name} has no level {level}; it has {len(self.levels)}")
        return self.levels[level]


@contextmanager
def slide_errors(name, path, what="cannot be opened"):
    """Turn whatever a library raises over a file into a `SlideError`, or a `MachineError` where it may be good.

    Parameters
    ----------
    name : str
        The slide's id.
    path : path-like
    what : str, optional
        What failed.

    Raises
    ------
    SlideError
        Naming the slide and its file.
    MachineError
        If the machine does not give the file, or no memory: a slide is not left out for that.
    """
    try:
        yield
    except SlidecafError:
        raise
    # A damaged file makes libraries raise anything: their own errors, struct.error, KeyError.
    except Exception as error:
        if machine_fault(error):
            raise unread(path, error, of=f"slide {name}: ") from error
        raise SlideError(
            f"slide {name}: {path}: {what} ({reason_of(error)}); take an undamaged copy, or convert it to a tiled RGB "
            "TIFF."
        ) from error


def _reflect(start, count, length):
    """Return which of `length` pixels stand at `count` places from `start` on, reflected about the border pixels."""
    period = max(1, 2 * (length - 1))
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places) if length > 1 else places

"""Stain normalisation: a slide's colours moved towards those of a target, so that laboratories look alike to a network.

Both ways are fitted on a slide made small, on its tissue alone, and then change every pixel by itself, glass too:

- ``reinhard`` (Reinhard et al. 2001, IEEE Computer Graphics and Applications 21(5), 34-41): each channel gets the
  target's mean and deviation. We take L*a*b* of CIE 1976 in place of their l-alpha-beta, as most do.
- ``macenko`` (Macenko et al. 2009, ISBI, 1107-1110): in optical density, the two stains are the extreme directions of
  the plane that tissue lies in; their amounts are told apart, scaled to the target's, and shown in its colours.

A fit depends on the slide and not on others, a target is fitted in the same way, and fitted numbers are rounded to what
features say of them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

import numpy as np

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.tables import read_json, write_json
from slidecaf.slides.base import Slide
from slidecaf.slides.lab import to_lab, to_rgb
from slidecaf.slides.thumbnail import average

FIT = ".json"
"""Suffix of a target that is no slide but what was fitted to one."""

LONGEST = 1024
"""The longest side, in px, at which a slide is fitted."""

LEAST = 500
"""Px of tissue that a fit needs."""

DENSITY = 0.15
"""The optical density (natural) from which on a pixel is stained; Macenko's beta."""

BLACK_UP_TO = 60
"""No channel of padding is above this; that of tissue is."""

EXTREME = 1
"""Per cent of tissue that lies beyond the extreme directions, on either side; Macenko's alpha. So many are beyond the
amount of stain that is scaled to the target's."""

DIGITS = 4
"""Decimals of what is fitted."""

STRIP = 2**18
"""Px that are changed at once."""


@dataclass(frozen=True, eq=False)
class Reinhard:
    """A slide's colours, by mean and deviation.

    Attributes
    ----------
    mean, deviation : ndarray of float64, shape (3,)
        Of L*, a* and b*.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, pixels) -> "Reinhard":
        """Fit stained pixels.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (n, 3)

        Returns
        -------
        Reinhard

        Raises
        ------
        ValueError
            If a channel does not vary.
        """
        channels = [channel.astype(np.float64) for channel in to_lab(pixels)]
        mean, deviation = (np.round([getattr(one, of)() for one in channels], DIGITS) for of in ("mean", "std"))
        if not (deviation > 0).all():
            raise ValueError("its tissue has one colour")
        return cls(mean, deviation)

    def to(self, target) -> Callable:
        """Return the function that gives pixels the target's colours.

        Parameters
        ----------
        target : Reinhard

        Returns
        -------
        callable
            ndarray of uint8, shape (n, 3), to another.
        """
        scale = target.deviation / self.deviation
        shift = (target.mean - scale * self.mean).astype(np.float32)
        scale = scale.astype(np.float32)

        def change(pixels):
            return to_rgb(*(s * one + t for s, t, one in zip(scale, shift, to_lab(pixels), strict=True)))

        return change


@dataclass(frozen=True, eq=False)
class Macenko:
    """A slide's two stains.

    Attributes
    ----------
    stains : ndarray of float64, shape (2, 3)
        The optical density of a unit of haematoxylin, and of eosin, in R, G and B; each of length 1.
    amounts : ndarray of float64, shape (2,)
        How much of each there is, all but `EXTREME` per cent of tissue having less.
    """

    stains: np.ndarray
    amounts: np.ndarray

    @classmethod
    def fit(cls, pixels) -> "Macenko":
        """Fit stained pixels.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (n, 3)

        Returns
        -------
        Macenko

        Raises
        ------
        ValueError
            If they have not two stains.
        """
        densities = DENSITIES[pixels].astype(np.float64)
        variances, vectors = np.linalg.eigh(np.cov(densities.T))
        plane = vectors[:, [2, 1]]  # the two directions in which tissue varies most
        plane = plane * np.where(plane[0] < 0, -1, 1)  # towards more of the stain
        if variances[1] <= 1e-6:
            raise ValueError("its tissue has one colour, or shades of one")
        angles = np.arctan2(*(densities @ plane).T[::-1])
        extremes = np.percentile(angles, (EXTREME, 100 - EXTREME))
        stains = np.stack([np.cos(extremes), np.sin(extremes)], axis=1) @ plane.T
        stains = stains[np.argsort(-stains[:, 0], kind="stable")]  # haematoxylin takes more of red
        stains = np.round(stains, DIGITS)
        if np.linalg.cond(stains) > 1e3:
            raise ValueError("its tissue has one stain")
        amounts = np.round(np.percentile(densities @ np.linalg.pinv(stains), 100 - EXTREME, axis=0), DIGITS)
        if not (amounts > 0).all():
            raise ValueError("one of its two stains has no amount")
        return cls(stains, amounts)

    def to(self, target) -> Callable:
        """Return the function that shows pixels in the target's stains; as of `Reinhard`."""
        amounts = np.linalg.pinv(self.stains) * (target.amounts / self.amounts)
        mixed = (amounts @ target.stains).astype(np.float32)

        def change(pixels):
            r, g, b = (np.take(DENSITIES, pixels[..., channel]) for channel in range(3))
            shown = np.empty(pixels.shape, np.uint8)
            for channel in range(3):  # written out: a product of matrices may round a pixel otherwise elsewhere
                density = r * mixed[0, channel] + g * mixed[1, channel] + b * mixed[2, channel]
                light = np.exp(-density) * np.float32(256) - np.float32(0.5)  # - 1, and half a value to round
                shown[..., channel] = np.clip(light, 0, 255)
            return shown

        return change


DENSITIES = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
"""The optical density of each value: that of white is 0, and that of black is finite."""

KINDS = {"reinhard": Reinhard, "macenko": Macenko}
"""Method, as the config writes it, to what is fitted."""


def tissue(pixels, method) -> np.ndarray:
    """Tell which pixels a slide is fitted on: neither glass nor black padding.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
    method : {"reinhard", "macenko"}
        ``reinhard`` takes what is stained in some channel, pale eosin too, since it describes all tissue; ``macenko``
        what is stained in every channel, as its source does, since directions of pale pixels are mostly noise.

    Returns
    -------
    ndarray of bool, shape (...)
    """
    brightest = pixels.max(axis=-1)
    palest = brightest if method == "macenko" else pixels.min(axis=-1)
    return (DENSITIES[palest] >= DENSITY) & (brightest > BLACK_UP_TO)


def fit(slide: Slide, method: str):
    """Fit a slide's stain on its tissue, the slide made small.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
        As stored.
    method : {"reinhard", "macenko"}

    Returns
    -------
    Reinhard or Macenko

    Raises
    ------
    SlideError
        If the slide cannot be read, has too little tissue, or one colour.
    """
    pixels, unread = average(slide, LONGEST)
    found = pixels[tissue(pixels, method) & ~unread]
    try:
        if len(found) < LEAST:
            height, width = unread.shape
            raise ValueError(
                f"{len(found)} px of {width} x {height} at low resolution are stained tissue, and a fit needs {LEAST}"
            )
        return KINDS[method].fit(found)
    except ValueError as error:
        raise SlideError(
            f"slide {slide.name}: {slide.path}: its stain cannot be fitted by {method} ({error}); leave it out of the "
            "sheet or write on_bad_slide: exclude, or take image.stain out of the feature set."
        ) from error


def normalise(slide: Slide, target, method: str):
    """Let a slide be read in a target's colours from now on.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
        Its stain is fitted first.
    target : Reinhard or Macenko
        From `fit`.
    method : {"reinhard", "macenko"}
        That of the target.

    Returns
    -------
    Reinhard or Macenko
        What was fitted of the slide.

    Raises
    ------
    SlideError
        As `fit`.
    """
    found = fit(slide, method)
    change = found.to(target)

    def recolour(region):
        flat = region.reshape(-1, 3)
        changed = [change(flat[start : start + STRIP]) for start in range(0, len(flat), STRIP)]
        return np.concatenate(changed).reshape(region.shape)

    slide.recolour = recolour
    return found


def write_fit(path, fitted, method: str) -> None:
    """Write what is fitted as JSON, which may stand for the slide that it was fitted to as a target.

    Parameters
    ----------
    path : path-like
    fitted : Reinhard or Macenko
    method : {"reinhard", "macenko"}
    """
    write_json(path, {"method": method, **described(fitted)})


def read_fit(path, method: str):
    """Read what `write_fit` wrote.

    Parameters
    ----------
    path : path-like
    method : {"reinhard", "macenko"}
        That it is to be of.

    Returns
    -------
    Reinhard or Macenko

    Raises
    ------
    SlidecafError
        If it is missing, damaged, or of the other method.
    """
    stored = read_json(path)
    names = {field.name for field in fields(KINDS[method])}
    if not isinstance(stored, dict) or stored.get("method") != method or set(stored) != {"method", *names}:
        raise SlidecafError(
            f"image.stain.target: {path} is no fit by {method}; name a slide, a picture, or a fit that slidecaf wrote."
        )
    return KINDS[method](**{name: np.asarray(stored[name], np.float64) for name in names})


def described(fitted) -> dict:
    """Return what is fitted as plain numbers.

    Parameters
    ----------
    fitted : Reinhard or Macenko

    Returns
    -------
    dict of str to list
    """
    return {key: value.tolist() for key, value in asdict(fitted).items()}

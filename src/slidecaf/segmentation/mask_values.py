"""The values of a mask: which of them are foreground, and what is wrong with them."""

import numpy as np

PIECE = 2**22
"""Pixels that are compared at once."""

NAMED_VALUES = 5
"""How many values of a part of a mask are looked for, to be named in an error."""


VALUE_KEY, CHANNEL_KEY, CLASS_KEY = (f"segmentation.{key}" for key in ("mask_value", "mask_channel", "mask_class"))
"""Keys of the config that say what is meant of a mask."""


class MaskProblem(Exception):
    """What is wrong with a mask, and what to do: a sentence without its subject and its full stop."""


class Foreground:
    """Tells foreground from background, and watches over the values of a whole mask.

    Parameters
    ----------
    mask_value : int or None
        The value that is foreground; None takes any but 0, of which there may be one.
    key : str
        The config's key of `mask_value`, for errors; empty where none concerns this mask.

    Attributes
    ----------
    pixels, marked : int
        How many were looked at, and how many of them are foreground.
    palette : ndarray of shape (n, 3) or None
        The colours of indices, which a reader sets.
    nodata : int
        The value by which the file says that nothing is there, which a reader sets; 0 where it does not.
    classes : list of str
        Of annotations, which a reader sets; empty text of those without.
    """

    def __init__(self, mask_value, *, key):
        self.pixels = self.marked = 0
        self.palette, self.nodata, self.classes = None, 0, []
        self._mask_value, self._key, self._seen = mask_value, key, set()

    @property
    def values(self) -> list[tuple]:
        """Some of the values seen, sorted, one number a channel: all where there is foreground and background, or none.

        With a `mask_value` they are looked for until the first foreground is found.
        """
        return sorted(self._seen)[:NAMED_VALUES]

    def drawn(self, band):
        """Count pixels that a reader has drawn itself.

        Parameters
        ----------
        band : ndarray of bool, shape (h, w)

        Returns
        -------
        ndarray of bool
            The same.
        """
        self.pixels += band.size
        self.marked += int(np.count_nonzero(band))
        return band

    def of(self, samples):
        """Return which pixels are foreground.

        Parameters
        ----------
        samples : ndarray of whole numbers, shape (h, w, channels)

        Returns
        -------
        ndarray of bool, shape (h, w)

        Raises
        ------
        MaskProblem
            If the values seen so far are not those of a mask.
        """
        foreground = np.empty(samples.shape[:2], bool)
        step = max(1, PIECE // samples.shape[1])
        for top in range(0, len(samples), step):
            foreground[top : top + step] = self._of_values(samples[top : top + step])
        self.pixels += foreground.size
        self.marked += int(np.count_nonzero(foreground))
        return foreground

    def _of_values(self, samples):
        channels = samples.shape[2]
        if self._mask_value is not None:
            if channels > 1:
                raise MaskProblem(
                    f"has {channels} channels of colour, and {self._key} is one number; save it as grey or with a "
                    "palette"
                )
            found = samples[..., 0] == self._mask_value
            if not self.marked and len(self._seen) < NAMED_VALUES:
                self._seen.update(some_values(samples))
            return found
        if samples.dtype.kind == "i" and samples.min() < 0:
            way = self._set_value(channels)
            raise MaskProblem(f"holds values below 0, such as {samples.min()}; {way}save it without")
        zero = (0,) * channels
        self._seen.update(some_values(samples))
        several = len(self._seen) > 2
        if several or (len(self._seen) == 2 and zero not in self._seen):
            named = name_values(sorted(self._seen))
            what = f"more than two values, among them {named}" if several else f"two values and none is 0: {named}"
            raise MaskProblem(
                f"holds {what}; {self._set_value(channels)}save it with two values, one of them 0, without lossy "
                "compression"
            )
        return ~_equal(samples, zero)

    def finish(self) -> None:
        """Look at all values once the whole mask was seen.

        Raises
        ------
        MaskProblem
            If its palette shows background lighter than foreground, or its values say that nothing is there.
        """
        if self._mask_value is not None or self.classes:
            return
        seen = {value[0] for value in self._seen}
        if self.nodata and self.nodata in seen:
            raise MaskProblem(
                f"holds {self.nodata}, by which it says that no data are there; {self._set_value(1)}save it without"
            )
        if self.palette is not None and len(self.palette):
            light = np.asarray(self.palette, np.int64).sum(axis=1)
            others = seen - {0} or range(1, len(light))
            if any(light[0] > light[other] for other in others if other < len(light)):
                raise MaskProblem(
                    "has a palette whose index 0 is lighter than another, so that it may be either; "
                    f"{self._set_value(1)}save it as grey, 0 for background and 255 for foreground"
                )

    def _set_value(self, channels):
        return f"set {self._key} to the one that is meant, or " if self._key and channels == 1 else ""


def one_sided(sheet, masks) -> str:
    """Say what is wrong where training masks leave nothing to learn from: no foreground, or no background.

    Parameters
    ----------
    sheet : str
        The path of the sheet that lists them, for the sentence.
    masks : sequence of (int, int, str)
        Of each training mask: foreground px, all px, and the values that it holds.

    Returns
    -------
    str
        A sentence; empty where nothing is wrong, or no mask is known.
    """
    marked, pixels = (sum(mask[place] for mask in masks) for place in (0, 1))
    if not masks or 0 < marked < pixels:
        return ""
    held = list(dict.fromkeys(values for *_, values in masks if values))
    said = "; ".join(held[:NAMED_VALUES]) or "not known"
    return (
        f"{sheet}, column mask: {'all' if marked else 'no'} px of its {len(masks)} training masks are foreground, and "
        f"nothing is left to tell apart (values: {said}); correct "
        f"{VALUE_KEY}, {CHANNEL_KEY} or the masks."
    )


def name_values(values) -> str:
    """List values of a mask: whole numbers, or colours in brackets.

    Parameters
    ----------
    values : sequence of tuple of int

    Returns
    -------
    str
    """
    return ", ".join(str(value if len(value) > 1 else value[0]) for value in values)


def some_values(samples) -> list[tuple]:
    """Return all values, tuples of a number a channel, or the first few where there are more.

    Parameters
    ----------
    samples : ndarray, shape (h, w, channels)

    Returns
    -------
    list of tuple of int
    """
    values, rest = [], np.ones(samples.shape[:2], bool)
    while len(values) < NAMED_VALUES and rest.any():
        place = np.unravel_index(rest.argmax(), rest.shape)
        values.append(tuple(int(value) for value in samples[place]))
        rest &= ~_equal(samples, values[-1])
    return values


def _equal(samples, value):
    return np.logical_and.reduce([samples[..., channel] == number for channel, number in enumerate(value)])

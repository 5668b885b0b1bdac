"""The channels of a TIFF mask: pages, and samples of grey pages, of which each could be the mask that is meant.

Programs write one channel a class. Which one is meant is the user's to say.
"""

from dataclasses import dataclass, replace

import tifffile

from slidecaf.segmentation.mask_values import MaskProblem
from slidecaf.slides.ome import elements, read_ome

COLOURS = {2: 3, 6: 3}
"""PhotometricInterpretation to samples of a colour: RGB, YCbCr (decoded as RGB)."""

GREYS = {0, 1, 3, 4}
"""PhotometricInterpretation of one sample a channel: grey of both senses, palette, mask."""

WHITE_IS_ZERO, PALETTE = 0, 3

ALPHA = {1, 2}
"""ExtraSamples that are opacity: associated and unassociated alpha. Of others nobody knows what they are."""

LISTED = 12
"""Channels that an error lists at most."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of a TIFF mask.

    Attributes
    ----------
    page : tifffile.TiffPage
    samples : slice
        Its samples of each pixel: one, or those of a colour.
    alpha : int or None
        The sample that is the pixels' opacity.
    name : str
        As OME-XML has it; empty elsewhere.
    """

    page: tifffile.TiffPage
    samples: slice
    alpha: int | None = None
    name: str = ""


def choose_channel(tiff, pages, wanted, *, key) -> Channel:
    """Choose the channel that a config means.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    pages : list of tifffile.TiffPage
        Of the mask's size, no reduced ones.
    wanted : int, str or None
        Its number from 0 or its name; None takes the only one.
    key : str
        The config's key that holds `wanted`; empty where none concerns this mask.

    Returns
    -------
    Channel

    Raises
    ------
    MaskProblem
        If a page is no mask, if there are several channels and none is wanted, or if none or several are as wanted.
    """
    channels = [channel for page in pages for channel in _of_page(page)]
    if wanted is None and len(channels) == 1:
        return channels[0]
    names = _names(tiff)
    channels = [replace(one, name=names.get((one.page.index, one.samples.start), "")) for one in channels]
    if wanted is None:
        way = f"set {key} to the name or number of the one that is meant, or " if key else ""
        raise MaskProblem(f"holds {len(channels)} channels or pages ({_listed(channels)}); {way}save it with one")
    if isinstance(wanted, int):
        found = channels[wanted : wanted + 1]
    else:
        found = [channel for channel in channels if channel.name == wanted]
    if len(found) != 1:
        what = "several channels" if found else "no channel"
        raise MaskProblem(f"holds {what} {wanted!r}, as {key} asks for; write a number of these: {_listed(channels)}")
    return found[0]


def _listed(channels):
    said = [f"{number}: {channel.name}" if channel.name else str(number) for number, channel in enumerate(channels)]
    return ", ".join(said[:LISTED]) + (f" and {len(said) - LISTED} more" if len(said) > LISTED else "")


def _of_page(page):
    """List the channels of a page, and refuse what is no mask."""
    photometric, count = int(page.photometric), page.samplesperpixel
    extra = [int(one) for one in page.extrasamples]
    colours = COLOURS.get(photometric, 1)
    alpha = count - 1 if count > colours and extra and extra[-1] in ALPHA else None
    left = count - (alpha is not None)
    whole_numbers = page.dtype is not None and page.dtype.kind in "bui" and isinstance(page.bitspersample, int)
    known = photometric in GREYS or (photometric in COLOURS and left == colours)
    if not whole_numbers or page.imagedepth > 1 or not known or any(one in ALPHA for one in extra[:-1]):
        raise MaskProblem(
            f"holds {count} channel{'s' if count > 1 else ''} of {page.dtype} with photometric interpretation "
            f"{photometric}; save it as grey of 8 bit"
        )
    return [Channel(page, slice(start, start + colours), alpha) for start in range(0, left, colours)]


def _names(tiff):
    """Return the names that OME-XML gives to channels, by page and sample."""
    named = {}
    if not tiff.is_ome:
        return named
    for image in elements(read_ome(tiff), "Image"):
        pixels = next(elements(image, "Pixels"), None)
        if pixels is None or int(pixels.get("SizeZ", 1)) * int(pixels.get("SizeT", 1)) > 1:
            continue
        channels = list(elements(pixels, "Channel"))
        if any(int(channel.get("SamplesPerPixel", 1)) > 1 for channel in channels):
            continue
        for block in elements(pixels, "TiffData"):
            page, first = int(block.get("IFD", 0)), int(block.get("FirstC", 0))
            planes = int(block.get("PlaneCount", 1 if "IFD" in block.attrib else len(channels)))
            for place, channel in enumerate(channels[first : first + planes]):
                named[page + place, 0] = channel.get("Name", "")
            if planes == 1 < len(channels) and first == 0:  # channels may be samples of one page
                named |= {(page, sample): channel.get("Name", "") for sample, channel in enumerate(channels) if sample}
    return named

"""Colours of layers, and tiles as the bytes of a picture."""

import io

import numpy as np
from PIL import Image

from slidecaf.classification.class_maps import RAMP as MEMBERSHIP
from slidecaf.segmentation.overlay import FALSE, MISSED, PREDICTED, TRUE
from slidecaf.slides.ramp import ramp
from slidecaf.viewer.zoom import SIDE

TRUTH = (0, 150, 60)
"""R, G, B of what is true: a green that neither tissue nor any other layer has."""

TISSUE = (0, 160, 160)
"""R, G, B of what the tiling takes for tissue."""

PATCHES = (0, 70, 200)
"""R, G, B of patches' outlines."""

KINDS = {"missed": MISSED.outline, "false": FALSE.outline}
"""R, G, B of hard examples by their kind."""

VEIL = (255, 255, 255)
"""R, G, B of what lies over all that is no foreground."""

INSIDE = 40
"""Opacity of a patch's area, of 255; outlines are opaque."""

COMPARED = np.array([TRUE.fill, MISSED.fill, FALSE.fill], np.float32)
"""Colours of Figure 6, in the order of `slidecaf.viewer.fields.comparison`."""

CLUSTERS = [(0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233), (240, 228, 66)]
"""R, G, B of clusters of patches, told apart by colour-blind eyes too (Okabe and Ito); further ones begin anew."""


def legend():
    """Return what the page says of colours: a name to R, G, B."""
    return {
        "patches": PATCHES,
        "tissue": TISSUE,
        "truth": TRUTH,
        "prediction": PREDICTED.fill,
        "true": TRUE.fill,
        "missed": MISSED.fill,
        "false": FALSE.fill,
        "hard_missed": KINDS["missed"],
        "hard_false": KINDS["false"],
        "clusters": CLUSTERS,
        **{f"membership_{place}": list(map(int, colour)) for place, colour in enumerate(MEMBERSHIP)},
        "veil": VEIL,
        "confidence": [list(map(int, colour)) for colour in ramp(np.linspace(-1, 1, 21))],
    }


def confidence_tile(means, scale) -> np.ndarray:
    """Colour the means of a confidence map: ndarray of uint8, shape (h, w, 4)."""
    return _rgba(ramp(means[..., 0] / scale), means[..., -1])


def mask_tile(means, colour):
    """Colour the means of a mask: a pixel that is in it by half is half as opaque."""
    return _rgba(np.broadcast_to(np.float32(colour), (*means.shape[:2], 3)), means[..., 0] * means[..., -1])


def membership_tile(means):
    """Colour the means of memberships, multiples of the mixture's mean, as the drawings do."""
    places = np.arange(len(MEMBERSHIP))
    colours = [np.interp(means[..., 0], places, MEMBERSHIP[:, channel]) for channel in range(3)]
    return _rgba(np.stack(colours, axis=2).astype(np.float32), means[..., -1])


def veil_tile(means):
    """Lay a veil over what is not in a mask: over a pixel that is in it by half it is half as thick."""
    return _rgba(np.broadcast_to(np.float32(VEIL), (*means.shape[:2], 3)), 1 - means[..., 0] * means[..., -1])


def comparison_tile(means):
    """Colour the means of a comparison as the paper's Figure 6."""
    return _mixed(means, COMPARED)


def cluster_tile(means):
    """Colour the means of clusters: as opaque as the share of patches that are positive, each cluster in its colour."""
    return _mixed(means, np.array([CLUSTERS[k % len(CLUSTERS)] for k in range(means.shape[2] - 1)], np.float32))


def _mixed(means, colours):
    """Mix a colour a channel by the channels' shares."""
    marked = means[..., : len(colours)]
    whole = marked.sum(axis=2, keepdims=True)
    return _rgba(marked @ colours / np.where(whole > 0, whole, 1), whole[..., 0] * means[..., -1])


def outline_tile(drawn, colour):
    """Colour outlines as `slidecaf.viewer.boxes.box_outlines` draws them."""
    opacity = np.array([0, INSIDE, 255], np.float32)[drawn] / 255
    return _rgba(np.broadcast_to(np.float32(colour), (*drawn.shape, 3)), opacity)


def _rgba(colour, opacity):
    tile = np.concatenate([colour, 255 * opacity[..., None]], axis=2)
    return np.rint(tile).clip(0, 255).astype(np.uint8)


def over(below, above):
    """Lay one coloured tile over another: at each pixel the more opaque one shows, `above` where they are equal."""
    return np.where(above[..., 3:] >= below[..., 3:], above, below)


def encode(pixels):
    """Turn a tile into a picture of `SIDE` x `SIDE` px; what lies beyond the slide is transparent.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3) or (h, w, 4)

    Returns
    -------
    str
        Its media type: JPEG for whole tiles of a slide, PNG for all others.
    bytes
    """
    stream = io.BytesIO()
    if pixels.shape == (SIDE, SIDE, 3):
        Image.fromarray(pixels).save(stream, "JPEG", quality=92, subsampling="4:4:4")
        return "image/jpeg", stream.getvalue()
    whole = np.zeros((SIDE, SIDE, 4), np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1], : pixels.shape[2]] = pixels
    if pixels.shape[2] == 3:
        whole[: pixels.shape[0], : pixels.shape[1], 3] = 255
    Image.fromarray(whole).save(stream, "PNG", compress_level=1)
    return "image/png", stream.getvalue()


def encode_small(pixels):
    """Turn a slide made small into a picture of its own size: media type and bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=88)
    return "image/jpeg", stream.getvalue()

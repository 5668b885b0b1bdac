"""Features that TRIDENT or CLAM computed, checked and in the form that slidecaf keeps them in."""

from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.faults import is_file, machine_fault, unread
from slidecaf.tiles.grid import slide_attributes

ROWS = 4096
"""ImportedPatches that are read at once."""


@dataclass(frozen=True, eq=False)
class ImportedPatches:
    """Where another program's patches are, and how large.

    Attributes
    ----------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x.
    order : ndarray of int64, shape (N,)
        The row of the file for each of them.
    dimension : int
        D, the length of a patch's vector.
    patch_size : int
        In px of the level or magnification that was read.
    patch_size_level0 : int
    overlap : int or None
        In px of ``patch_size``, where the file says it.
    encoder : str
        As the file names it; empty where it does not.
    """

    coords: np.ndarray
    order: np.ndarray
    dimension: int
    patch_size: int
    patch_size_level0: int
    overlap: int | None
    encoder: str


def read_patches(source, slide, *, kind) -> ImportedPatches:
    """Read where the patches of a slide are, and hold them against the slide.

    Parameters
    ----------
    source : slidecaf.study.imported.Source
    slide : slidecaf.slides.Slide
    kind : {"trident", "clam"}

    Returns
    -------
    ImportedPatches

    Raises
    ------
    SlideError
        If a file is missing or damaged, lacks what is needed, or does not belong to the slide.
    """
    with _opened(source.features, slide.name) as file:
        features, dataset = file["features"], file["coords"]
        coords, attributes = dataset[:], dict(dataset.attrs)
        encoder = str(features.attrs.get("encoder", ""))
        shape = features.shape
    if len(shape) != 2 or coords.shape != (shape[0], 2) or not np.issubdtype(coords.dtype, np.number):
        raise SlideError(
            f"slide {slide.name}: {source.features} has features of shape {shape} and coords of shape {coords.shape}; "
            "one row a patch is needed, so extract patch features, not slide features."
        )
    if source.patches is not None and "patch_size" not in attributes:
        with _opened(source.patches, slide.name) as file:
            attributes |= dict(file["coords"].attrs)
    for side, length in (("width", slide.width), ("height", slide.height)):
        stated = attributes.get(f"level0_{side}", length)
        if int(stated) != length:
            raise SlideError(
                f"slide {slide.name}: {source.features} is of a slide with a {side} of {int(stated)} px, and "
                f"{slide.path} has {length}; give the slide that the features were computed from."
            )
    outside = ((coords < 0) | (coords >= (slide.width, slide.height))).any(axis=1)
    if outside.any():
        x, y = coords[outside][0]
        raise SlideError(
            f"slide {slide.name}: {source.features} has a patch at ({x}, {y}), outside the slide's {slide.width} x "
            f"{slide.height} px; give the slide that the features were computed from."
        )
    coords = coords.astype(np.int64)
    order = np.lexsort(coords.T)
    size, size_level0 = _sizes(attributes, source, slide.name, kind)
    overlap = int(attributes["overlap"]) if "overlap" in attributes else None
    return ImportedPatches(coords[order], order, shape[1], size, size_level0, overlap, encoder)


def _sizes(attributes, source, name, kind):
    """Return the side of a patch in its own px and at level 0."""
    try:
        size = int(attributes["patch_size"])
        if "patch_size_level0" in attributes:
            at_level0 = float(attributes["patch_size_level0"])
        elif kind == "trident":
            at_level0 = size * float(attributes["level0_magnification"]) / float(attributes["target_magnification"])
        else:
            at_level0 = size * float(np.ravel(attributes["downsample"])[0])
    except KeyError as error:
        where = source.patches or source.features
        raise SlideError(
            f"slide {name}: {where}: its dataset coords has no attribute {error.args[0]!r}, so that the size of a "
            f"patch is not known; give the files that {kind.upper()} writes (of CLAM the folder patches too)."
        ) from error
    if size < 1 or not at_level0 >= 1:
        raise SlideError(f"slide {name}: {source.features}: patches of {at_level0} px; extract the features again.")
    return size, round(at_level0)


def read_features(source, patches, *, name) -> np.ndarray:
    """Read the features of a slide in the order of its coordinates.

    Parameters
    ----------
    source : slidecaf.study.imported.Source
    patches : ImportedPatches
    name : str
        The slide's, for errors.

    Returns
    -------
    ndarray of float16, shape (N, D)

    Raises
    ------
    SlideError
        If a value is NaN, infinite or too large for 16 bit.
    """
    count = len(patches.order)
    values, place = np.empty((count, patches.dimension), np.float16), np.empty(count, np.int64)
    place[patches.order] = np.arange(count)
    with _opened(source.features, name) as file:
        # the file from its start to its end: single rows take HDF5 ten times as long
        for start in range(0, count, ROWS):
            with np.errstate(over="ignore"):
                block = file["features"][start : start + ROWS].astype(np.float16)
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if len(bad):
                raise SlideError(
                    f"slide {name}: {source.features}: row {start + bad[0]} of features is NaN, infinite or beyond "
                    "65504, which 16 bit cannot hold; extract the slide's features again."
                )
            values[place[start : start + ROWS]] = block
    return values


def tiles_attributes(slide, patches) -> dict:
    """Describe another program's patches as `slidecaf.tiles.grid.attributes` does slidecaf's.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    patches : ImportedPatches

    Returns
    -------
    dict
        Besides those, ``regular``: whether all patches stand on one grid from the upper left corner, which the
        segmentation needs. Where the file does not say the overlap, it is taken to be none.
    """
    scale = patches.patch_size_level0 / patches.patch_size
    stride = patches.patch_size - (patches.overlap or 0)
    off = patches.coords - np.rint(patches.coords / (stride * scale)) * (stride * scale)
    return {
        "patch_size": patches.patch_size,
        "patch_size_level0": patches.patch_size_level0,
        "stride": stride,
        "stride_level0": stride * scale,
        "overlap": patches.patch_size - stride,
        "regular": bool((np.abs(off) <= 1).all()),
        **slide_attributes(slide, scale),
        "patch_level": 0,
        "downsample": (1.0, 1.0),
        "downsampled_level_dim": (slide.width, slide.height),
        "level_dim": (slide.width, slide.height),
    }


def describe_set(sources, *, folder) -> dict:
    """Look at all files of a feature set: are their vectors of one length, and what made them.

    Parameters
    ----------
    sources : dict of str to slidecaf.study.imported.Source
        Slide to its files; those that are missing are passed over.
    folder : str
        Its last name says the encoder where the files do not, as TRIDENT names it (``features_uni_v1``).

    Returns
    -------
    dict
        ``dimension`` and ``encoder``.

    Raises
    ------
    SlidecafError
        If the lengths differ, or no file is there.
    """
    first, dimension, encoder = None, None, ""
    for name, source in sources.items():
        if not is_file(source.features):
            continue
        with _opened(source.features, name) as file:
            own = file["features"].shape[-1]
            encoder = encoder or str(file["features"].attrs.get("encoder", ""))
        if first is None:
            first, dimension = source.features, own
        elif own != dimension:
            raise _of_two_lengths(name, source.features, own, first, dimension)
    if first is None:
        raise SlidecafError(f"{folder} has a file of no slide of the sheets; give the folder that holds them.")
    return {"dimension": dimension, "encoder": encoder_name(encoder, folder)}


def encoder_name(said, folder) -> str:
    """Return what made features.

    Parameters
    ----------
    said : str
        By a file; TRIDENT's older ones say nothing, and CLAM's never do.
    folder : str
        TRIDENT puts the encoder's name there: ``features_uni_v1``.

    Returns
    -------
    str
        Empty where nothing says it.
    """
    last = folder.rstrip("/").rpartition("/")[2]
    return said or (last.removeprefix("features_") if last.startswith("features_") else "")


def check_length(patches, source, first, *, name) -> None:
    """Check that a slide's vectors are as long as those of another of its feature set.

    Parameters
    ----------
    patches : ImportedPatches
    source : slidecaf.study.imported.Source
    first : slidecaf.study.imported.Source
        Of the other slide. One that cannot be read is an error where that slide is taken in, not here.
    name : str
        The slide's, for errors.

    Raises
    ------
    SlidecafError
    """
    with suppress(SlideError), _opened(first.features, name) as file:
        length = file["features"].shape[-1]
        if length != patches.dimension:
            raise _of_two_lengths(name, source.features, patches.dimension, first.features, length)


def _of_two_lengths(name, path, length, other, its_length):
    return SlidecafError(
        f"slide {name}: {path} has {length} values a patch, and {other} has {its_length}; take one encoder for all "
        "slides of a feature set."
    )


@contextmanager
def _opened(path, name):
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, KeyError, MemoryError) as error:
        if machine_fault(error):
            raise unread(path, error, of=f"slide {name}: ") from error
        how = "is damaged" if is_file(path) else "is missing"
        raise SlideError(
            f"slide {name}: {path} {how} ({error}); extract the slide's features again, or correct the folder."
        ) from error

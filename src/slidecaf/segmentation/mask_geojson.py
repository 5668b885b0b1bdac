"""Masks that are annotations: GeoJSON as QuPath exports it, made pixels by bands.

QuPath counts px of level 0 from the corner of a slide's bounds, which it shows as the whole image. A pixel is
foreground where its centre lies inside an object and in none of its holes; outlines that run along pixels come back
exactly.
"""

from collections.abc import Iterator

from slidecaf.segmentation import mask_values
from slidecaf.segmentation.mask_values import MaskProblem
from slidecaf.slides.geojson import Edges, GeoJsonProblem, areas, class_of, features_of


def geojson_bands(path, size, foreground, *, wanted, key, most=None) -> Iterator:
    """Read annotations as a mask, by bands.

    Parameters
    ----------
    path : path-like
    size : (int, int)
        Width and height of the image that QuPath shows.
    foreground : slidecaf.segmentation.mask_values.Foreground
        It is told the classes that the file has.
    wanted : sequence of str or None
        The classes that are foreground; None takes all objects, which have to be of one class then.
    key : str
        The config's key that holds `wanted`; empty where none concerns this mask.
    most : int, optional
        As for `slidecaf.segmentation.mask_files.open_mask`.

    Yields
    ------
    (int, int)
        First the size;
    ndarray of bool, shape (h, width)
        then bands from top to bottom.

    Raises
    ------
    MaskProblem
        If it is no GeoJSON, an object of a wanted class has no area, objects are of several classes and none is wanted,
        or all lie beyond the slide.
    """
    try:
        edges = _edges(path, foreground, wanted, key)
    except GeoJsonProblem as problem:
        raise MaskProblem(str(problem)) from None
    width, height = size
    if len(edges.top) and edges.beyond(width, height):
        raise MaskProblem(
            f"has all its objects beyond the slide's {width} x {height} px; export it from this slide, in pixels"
        )
    yield width, height
    step = max(1, mask_values.PIECE // width)
    every = -(-width * height // most) if most else 1
    for top in range(0, height, step * every):
        band = edges.filled(top, min(height, top + step), width)
        yield foreground.drawn(band)


def _edges(path, foreground, wanted, key):
    objects = [(class_of(feature), feature.get("geometry") or {}) for feature in features_of(path)]
    foreground.classes = sorted({name for name, _ in objects})
    if wanted is None and len(foreground.classes) > 1:
        held = ", ".join(name or "none" for name in foreground.classes)
        way = f"set {key} to the one that is meant, or " if key else ""
        raise MaskProblem(f"has objects of several classes ({held}); {way}export those of one class")
    chosen = [polygon for name, geometry in objects if wanted is None or name in wanted for polygon in areas(geometry)]
    return Edges(chosen)

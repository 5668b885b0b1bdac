"""Masks that are annotations: GeoJSON as QuPath exports it, made pixels by bands.

QuPath counts px of level 0 from the corner of a slide's bounds, which it shows as the whole image. A pixel is
foreground where its centre lies inside an object and in none of its holes; outlines that run along pixels come back
exactly.
"""

import json
from collections.abc import Iterator

import numpy as np

from slidecaf.segmentation import mask_values
from slidecaf.segmentation.mask_values import MaskProblem

FLAT = ("Point", "MultiPoint", "LineString", "MultiLineString")
"""Geometries without an area."""


def is_geojson(start: bytes) -> bool:
    """Tell by its first bytes whether a file may be GeoJSON.

    Parameters
    ----------
    start : bytes

    Returns
    -------
    bool

    Examples
    --------
    >>> is_geojson(b" [{"), is_geojson(b"II*")
    (True, False)
    """
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


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
    objects = [(_class_of(feature), feature.get("geometry") or {}) for feature in _features(path)]
    foreground.classes = sorted({name for name, _ in objects})
    if wanted is None and len(foreground.classes) > 1:
        held = ", ".join(name or "none" for name in foreground.classes)
        way = f"set {key} to the one that is meant, or " if key else ""
        raise MaskProblem(f"has objects of several classes ({held}); {way}export those of one class")
    chosen = [polygon for name, geometry in objects if wanted is None or name in wanted for polygon in _areas(geometry)]
    edges = _Edges(chosen)
    width, height = size
    if len(edges.top) and (edges.bottom.max() <= 0 or edges.top.min() >= height or not edges.reach(width)):
        raise MaskProblem(
            f"has all its objects beyond the slide's {width} x {height} px; export it from this slide, in pixels"
        )
    yield width, height
    step = max(1, mask_values.PIECE // width)
    every = -(-width * height // most) if most else 1
    for top in range(0, height, step * every):
        band = edges.filled(top, min(height, top + step), width)
        yield foreground.drawn(band)


def _features(path):
    try:
        with open(path, encoding="utf-8-sig") as file:
            read = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise MaskProblem(f"is no GeoJSON ({error}); export the annotations again") from None
    if isinstance(read, dict) and read.get("type") == "FeatureCollection":
        read = read.get("features")
    elif isinstance(read, dict) and read.get("type") == "Feature":
        read = [read]
    if not isinstance(read, list) or not all(isinstance(one, dict) and one.get("type") == "Feature" for one in read):
        raise MaskProblem("holds JSON that is no GeoJSON features; export the annotations as GeoJSON")
    return read


def _class_of(feature):
    """Return the class that QuPath gave an object; empty where it gave none."""
    named = (feature.get("properties") or {}).get("classification") or ""
    if isinstance(named, dict):
        named = named.get("name") or ": ".join(named.get("names") or [])
    return str(named)


def _areas(geometry):
    """Yield the polygons of a geometry, each a list of rings; the first is its outline, the others are holes."""
    kind = geometry.get("type")
    if kind in FLAT:
        raise MaskProblem(f"has a {kind}, which has no area; export areas alone, or give it another class")
    try:
        if kind == "GeometryCollection":
            for one in geometry["geometries"]:
                yield from _areas(one)
        elif kind in ("Polygon", "MultiPolygon"):
            for rings in [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]:
                yield [np.array([point[:2] for point in ring], float).reshape(-1, 2) for ring in rings]
        else:
            raise MaskProblem(f"has a geometry of type {kind!r}, which GeoJSON does not know; export it again")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MaskProblem(f"has coordinates that cannot be read ({error}); export the annotations again") from None


class _Edges:
    """The sides of polygons that are not level, each with the row centres that it crosses."""

    def __init__(self, polygons):
        starts, ends, owner = [], [], []
        for number, rings in enumerate(polygons):
            for ring in rings:
                if not np.isfinite(ring).all():
                    raise MaskProblem("has coordinates that are no numbers; export the annotations again")
                starts.append(ring)
                ends.append(np.roll(ring, -1, axis=0))
                owner.append(np.full(len(ring), number))
        start, end = (np.concatenate([np.empty((0, 2)), *points]) for points in (starts, ends))
        owner = np.concatenate([np.empty(0, int), *owner])
        sloped = start[:, 1] != end[:, 1]
        start, end, self.owner = start[sloped], end[sloped], owner[sloped]
        down = (start[:, 1] < end[:, 1])[:, None]
        upper, lower = np.where(down, start, end), np.where(down, end, start)
        self.x, self.top, self.bottom = upper[:, 0], upper[:, 1], lower[:, 1]
        self.slope = (lower[:, 0] - upper[:, 0]) / (self.bottom - self.top)

    def reach(self, width):
        """Tell whether any side comes near the columns of the slide, or sides lie left and right of it."""
        ends = np.concatenate([self.x, self.x + self.slope * (self.bottom - self.top)])
        return ends.min() < width and ends.max() > 0

    def filled(self, top, bottom, width):
        """Return which px of some rows have their centre inside."""
        # a row's centre that a corner touches belongs to the side below it, so that it counts once
        first = np.clip(np.ceil(self.top - 0.5), top, bottom).astype(int)
        last = np.clip(np.ceil(self.bottom - 0.5), top, bottom).astype(int)
        count = last - first
        side = np.repeat(np.arange(len(count)), count)
        row = np.arange(len(side)) - np.repeat(np.cumsum(count) - count, count) + first[side]
        x = self.x[side] + self.slope[side] * (row + 0.5 - self.top[side])
        order = np.lexsort((x, row, self.owner[side]))
        row, column = row[order] - top, np.clip(np.ceil(x[order] - 0.5), 0, width).astype(int)
        change = np.zeros((bottom - top, width + 1), np.int32)
        np.add.at(change, (row[0::2], column[0::2]), 1)
        np.add.at(change, (row[1::2], column[1::2]), -1)
        return change[:, :width].cumsum(axis=1) > 0

"""Annotations: areas in GeoJSON as QuPath exports it.

QuPath counts px of level 0 from the corner of a slide's bounds, which it shows as the whole image.
"""

import json
from collections.abc import Iterator

import numpy as np


class GeoJsonProblem(Exception):
    """What is wrong with a file, and what to do: a sentence without its subject and its full stop."""


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


def features_of(path) -> list[dict]:
    """Read the objects of a file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        GeoJSON features.

    Raises
    ------
    GeoJsonProblem
        If it is no GeoJSON.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            read = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise GeoJsonProblem(f"is no GeoJSON ({error}); export the annotations again") from None
    if isinstance(read, dict) and read.get("type") == "FeatureCollection":
        read = read.get("features")
    elif isinstance(read, dict) and read.get("type") == "Feature":
        read = [read]
    if not isinstance(read, list) or not all(isinstance(one, dict) and one.get("type") == "Feature" for one in read):
        raise GeoJsonProblem("holds JSON that is no GeoJSON features; export the annotations as GeoJSON")
    return read


def class_of(feature) -> str:
    """Return the class that QuPath gave an object; empty where it gave none.

    Parameters
    ----------
    feature : dict

    Returns
    -------
    str
    """
    named = (feature.get("properties") or {}).get("classification") or ""
    if isinstance(named, dict):
        named = named.get("name") or ": ".join(named.get("names") or [])
    return str(named)


def areas(geometry) -> Iterator[list[np.ndarray]]:
    """Take a geometry apart into polygons.

    Parameters
    ----------
    geometry : dict

    Yields
    ------
    list of ndarray of float, shape (n, 2)
        A polygon's rings; the first is its outline, the others are holes.

    Raises
    ------
    GeoJsonProblem
        If it has no area, or coordinates that cannot be read.
    """
    kind = geometry.get("type")
    if kind in FLAT:
        raise GeoJsonProblem(f"has a {kind}, which has no area; export areas alone, or give it another class")
    try:
        if kind == "GeometryCollection":
            for one in geometry["geometries"]:
                yield from areas(one)
        elif kind in ("Polygon", "MultiPolygon"):
            for rings in [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]:
                yield [np.array([point[:2] for point in ring], float).reshape(-1, 2) for ring in rings]
        else:
            raise GeoJsonProblem(f"has a geometry of type {kind!r}, which GeoJSON does not know; export it again")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise GeoJsonProblem(f"has coordinates that cannot be read ({error}); export the annotations again") from None


class Edges:
    """The sides of polygons that are not level.

    Parameters
    ----------
    polygons : iterable of list of ndarray of float, shape (n, 2)
        As `areas` yields them.

    Attributes
    ----------
    top, bottom : ndarray of float, shape (n,)
        Where each side begins and ends.

    Raises
    ------
    GeoJsonProblem
        If a coordinate is no number.
    """

    def __init__(self, polygons):
        starts, ends, owner = [], [], []
        for number, rings in enumerate(polygons):
            for ring in rings:
                if not np.isfinite(ring).all():
                    raise GeoJsonProblem("has coordinates that are no numbers; export the annotations again")
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

    def beyond(self, width, height) -> bool:
        """Tell whether all sides lie beyond an image of so many px."""
        ends = np.concatenate([self.x, self.x + self.slope * (self.bottom - self.top)])
        apart = self.bottom.max() <= 0 or self.top.min() >= height or ends.min() >= width or ends.max() <= 0
        return bool(apart)

    def filled(self, top, bottom, width) -> np.ndarray:
        """Return which px of some rows have their centre inside.

        Parameters
        ----------
        top, bottom : int
            The first row, and the one behind the last.
        width : int

        Returns
        -------
        ndarray of bool, shape (bottom - top, width)
        """
        # a row's centre that a corner touches belongs to the side below it, so that it counts once
        first, last = (np.clip(np.ceil(end - 0.5), top, bottom).astype(int) for end in (self.top, self.bottom))
        row, x = self._crossed(first, last, lambda row: row + 0.5)
        return _between(row - top, np.clip(np.ceil(x - 0.5), 0, width).astype(int), (bottom - top, width))

    def inside(self, xs, ys) -> np.ndarray:
        """Return which points of a grid are inside.

        Parameters
        ----------
        xs, ys : ndarray of float, shape (columns,) and (rows,)
            Where its columns and rows are, ascending.

        Returns
        -------
        ndarray of bool, shape (rows, columns)
        """
        first, last = (np.searchsorted(ys, end) for end in (self.top, self.bottom))
        row, x = self._crossed(first, last, lambda row: ys[row])
        return _between(row, np.searchsorted(xs, x), (len(ys), len(xs)))

    def _crossed(self, first, last, height_of):
        """Return for every row that a side crosses the row and where; by polygon, row, place."""
        count = last - first
        side = np.repeat(np.arange(len(count)), count)
        row = np.arange(len(side)) - np.repeat(np.cumsum(count) - count, count) + first[side]
        x = self.x[side] + self.slope[side] * (height_of(row) - self.top[side])
        order = np.lexsort((x, row, self.owner[side]))
        return row[order], x[order]


def _between(row, column, shape):
    """Fill rows between the first and second crossing, the third and fourth, and so on."""
    change = np.zeros((shape[0], shape[1] + 1), np.int32)
    np.add.at(change, (row[0::2], column[0::2]), 1)
    np.add.at(change, (row[1::2], column[1::2]), -1)
    return change[:, :-1].cumsum(axis=1) > 0

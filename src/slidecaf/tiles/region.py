"""Regions of interest: the part of a slide in which patches are laid, as GeoJSON of QuPath's frame.

A patch belongs to the region where its centre lies inside an object, of whatever class, and in none of its holes.
"""

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import is_file
from slidecaf.slides.geojson import Edges, GeoJsonProblem, areas, features_of, is_geojson


class Region:
    """The region of interest of a slide.

    Parameters
    ----------
    path : path-like
        GeoJSON whose px are those of level 0, from the corner of the slide's bounds.
    slide : slidecaf.slides.Slide
        Its name and bounds are taken.

    Raises
    ------
    SlidecafError
        If there is no such file, or it is no GeoJSON, has an object without an area or none with one, or lies beyond
        the slide.
    """

    def __init__(self, path, slide):
        self._path, self._name, self._bounds = path, slide.name, slide.bounds
        try:
            if not is_file(path):
                raise GeoJsonProblem("is no file; write the path of a GeoJSON file, or leave the cell empty")
            with open(path, "rb") as file:
                start = file.read(64)
            if not is_geojson(start):
                raise GeoJsonProblem("is no GeoJSON; export the region from QuPath as GeoJSON")
            self._edges = Edges([polygon for one in features_of(path) for polygon in _areas_of(one)])
            self._check()
        except GeoJsonProblem as problem:
            raise self._error(str(problem)) from None

    def _check(self):
        _, _, width, height = self._bounds
        if not len(self._edges.top):
            raise GeoJsonProblem("has no area; draw the region, or leave the cell empty for the whole slide")
        if self._edges.beyond(width, height):
            raise GeoJsonProblem(
                f"lies beyond the slide's {width} x {height} px; export it from this slide, in pixels of its full "
                "resolution"
            )

    def _error(self, problem):
        return SlidecafError(f"slide {self._name}: column roi: {self._path} {problem}.")

    def holds(self, xs, ys, size) -> np.ndarray:
        """Tell which patches of a grid are in the region.

        Parameters
        ----------
        xs, ys : ndarray of int64
            Where columns and rows of patches start at level 0, ascending.
        size : int
            The side of a patch in px of level 0.

        Returns
        -------
        ndarray of bool, shape (len(ys), len(xs))

        Raises
        ------
        SlidecafError
            If there is none.
        """
        found = self._inside(xs + size / 2, ys + size / 2)
        if not found.any():
            raise self._error(
                f"holds the centre of none of the {found.size} patches of {size} px; draw it larger, or lower "
                "tiling.patch_size or its stride"
            )
        return found

    def pixels(self, x, y, width, height) -> np.ndarray:
        """Tell which pixels of a part of the slide have their centre in the region.

        Parameters
        ----------
        x, y, width, height : int
            In px of level 0.

        Returns
        -------
        ndarray of bool, shape (height, width)
        """
        return self._inside(np.arange(x, x + width) + 0.5, np.arange(y, y + height) + 0.5)

    def _inside(self, xs, ys):
        left, top, *_ = self._bounds
        return self._edges.inside(xs - left, ys - top)


def _areas_of(feature):
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict):
        raise GeoJsonProblem("has an object without a geometry; export the region again")
    return areas(geometry)

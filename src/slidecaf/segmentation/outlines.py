"""Outlines of a mask as polygons, and as GeoJSON that QuPath opens.

The polygons run exactly along the edges of cells, in px of level 0: x from 0 to the slide's width, y from 0, at the
top, to its height. Cells that touch at a corner only belong to two objects, as they do in `postprocess`.
"""

import json

import numpy as np

from slidecaf.files.atomic import atomic

CLASSIFICATION = {"name": "Necrosis", "color": [0, 110, 255]}
"""QuPath's own class of this name, in the colour that overlays give to what is predicted."""


def trace(mask, cells) -> np.ndarray:
    """Outline the objects of a mask, each with its holes.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    cells : slidecaf.segmentation.cells.Cells

    Returns
    -------
    ndarray of shapely.Polygon, shape (objects,)
        Valid, of whole px; from top to bottom and left to right by their bounds.
    """
    import shapely

    mask = np.asarray(mask, bool)
    if not mask.any():
        return np.empty(0, object)
    across = _segments(mask, cells.cuts_x, cells.cuts_y)
    down = _segments(mask.T, cells.cuts_y, cells.cuts_x)[:, :, ::-1]
    faces = shapely.get_parts(shapely.polygonize(shapely.linestrings(np.concatenate([across, down]))))
    objects = shapely.orient_polygons(shapely.normalize(faces[mask[_cell_in(faces, cells)]]))
    left, top, right, bottom = shapely.bounds(objects).T
    return objects[np.lexsort([right, bottom, left, top])]


def _cell_in(polygons, cells):
    """Return row and column of a cell in each polygon."""
    import shapely

    inside = shapely.get_coordinates(shapely.point_on_surface(polygons))
    cuts = (cells.cuts_y, cells.cuts_x)
    return tuple(
        np.searchsorted(cut, inside[:, side], side="right") - 1 for cut, side in zip(cuts, (1, 0), strict=True)
    )


def _segments(mask, cuts_x, cuts_y):
    """Return the horizontal edges of a mask, as long as no other edge meets them: shape (n, 2 ends, x and y)."""
    rows, columns = mask.shape
    edge = np.zeros((rows + 1, columns + 2), bool)  # with a column on each side in which nothing is
    edge[:, 1:-1] = np.diff(mask, axis=0, prepend=False, append=False)
    # edges along y meet the grid's points between columns; there a horizontal edge ends
    beside = np.zeros((rows + 2, columns + 1), bool)
    beside[1:-1] = np.diff(mask, axis=1, prepend=False, append=False)
    met = beside[:-1] | beside[1:]
    here, before = edge[:, 1:], edge[:, :-1]
    starts, ends = here & (met | ~before), before & (met | ~here)
    y, left = np.nonzero(starts)
    _, right = np.nonzero(ends)
    ends_of = [(cuts_x[left], cuts_y[y]), (cuts_x[right], cuts_y[y])]
    return np.stack([np.stack(end, axis=1) for end in ends_of], axis=1).astype(np.float64)


def simplify(objects, tolerance) -> np.ndarray:
    """Leave out corners, so that no outline moves by more than a tolerance.

    Parameters
    ----------
    objects : ndarray of shapely.Polygon, shape (n,)
    tolerance : float
        In px; 0 leaves out nothing.

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        With the corners that are left, as many holes, and valid. Douglas and Peucker's method as GEOS has it, which
        keeps rings from crossing. An object that it moves too far or leaves invalid is simplified by half the
        tolerance, or stays as it is.
    """
    import shapely

    if not tolerance:
        return objects
    # GEOS drops a ring's first corner after the others, which may add up to twice the tolerance
    result = objects.copy()
    left = np.arange(len(objects))
    for step in (tolerance, tolerance / 2):
        simple = shapely.simplify(objects[left], step, preserve_topology=True)
        kept = _faithful(simple, objects[left], tolerance)
        result[left[kept]] = simple[kept]
        left = left[~kept]
    return result


def _faithful(simple, objects, tolerance):
    """Tell which simplified objects are valid, have all their holes, and pass all corners within a tolerance."""
    import shapely

    same = shapely.get_num_interior_rings(simple) == shapely.get_num_interior_rings(objects)
    edges = shapely.boundary(simple)
    shapely.prepare(edges)
    corners, owner = shapely.get_coordinates(objects, return_index=True)
    near = shapely.dwithin(edges[owner], shapely.points(corners), tolerance)
    return shapely.is_valid(simple) & same & (np.bincount(owner, ~near, len(objects)) == 0)


def seen_from(corner, objects) -> np.ndarray:
    """Count the px of objects from another corner than the slide's.

    Parameters
    ----------
    corner : (int, int)
        x and y in px of level 0.
    objects : ndarray of shapely.Polygon, shape (n,)

    Returns
    -------
    ndarray of shapely.Polygon, shape (n,)
        What is left of the corner or above it has coordinates below 0.
    """
    import shapely

    return shapely.transform(objects, lambda places: places - corner)


def confidence_in(objects, mask, confidence, cells) -> tuple[np.ndarray, np.ndarray]:
    """Average a confidence map over the objects of a mask.

    Parameters
    ----------
    objects : ndarray of shapely.Polygon, shape (n,)
        From `trace`.
    mask : ndarray of bool, shape (rows, columns)
        What was traced.
    confidence : ndarray of float32, shape (rows, columns)
        Of numbers wherever the mask is.
    cells : slidecaf.segmentation.cells.Cells

    Returns
    -------
    mean, maximum : ndarray of float64, shape (n,)
        Each px counts alike in the mean.
    """
    from scipy.ndimage import label

    labels, count = label(mask)
    areas, numbers = cells.areas[mask], labels[mask] - 1
    own = labels[_cell_in(objects, cells)] - 1
    sums = np.bincount(numbers, areas * confidence[mask].astype(np.float64), count)
    maxima = np.full(count, -np.inf)
    np.maximum.at(maxima, numbers, confidence[mask])
    return sums[own] / np.bincount(numbers, areas, count)[own], maxima[own]


def write_geojson(path, objects, *, measurements, name, about) -> None:
    """Write objects as annotations that QuPath reads: a FeatureCollection, one object a line.

    Parameters
    ----------
    path : path-like
    objects : ndarray of shapely.Polygon, shape (n,)
        Of whole px.
    measurements : list of dict of str to float, n of them
        QuPath lists them with the object.
    name : str
        Of every object, as QuPath shows it.
    about : mapping
        What the file shall say of itself, in a member ``slidecaf`` that QuPath leaves alone.
    """
    known = {"objectType": "annotation", "name": name, "classification": CLASSIFICATION}
    write_objects(path, objects, [known | {"measurements": measured} for measured in measurements], about=about)


def write_objects(path, objects, properties, *, about) -> None:
    """Write objects of any kind that QuPath reads: a FeatureCollection, one object a line.

    Parameters
    ----------
    path : path-like
    objects : ndarray of shapely.Polygon, shape (n,)
        Of whole px.
    properties : list of dict, n of them
        As QuPath calls them: ``objectType``, ``name``, ``measurements``, …
    about : mapping
        As for `write_geojson`.
    """
    lines = [
        json.dumps(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [_ring(ring) for ring in _rings(polygon)]},
                "properties": said,
            },
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        for polygon, said in zip(objects, properties, strict=True)
    ]
    with atomic(path) as partial:
        about = json.dumps(dict(about), sort_keys=True, ensure_ascii=False, allow_nan=False)
        features = ",\n".join(lines)
        text = f'{{"type": "FeatureCollection",\n"slidecaf": {about},\n"features": [\n{features}\n]}}\n'
        partial.write_text(text, encoding="utf-8")


def _rings(polygon):
    return polygon.exterior, *polygon.interiors


def _ring(ring):
    import shapely

    return shapely.get_coordinates(ring).astype(np.int64).tolist()

"""Heat maps of the diagnosis for QuPath: a GeoJSON file a slide, a tile a patch with what it adds to the decision.

QuPath counts px from the corner of a slide's bounds, which it shows as the whole image, and so do the files.
"""

from pathlib import Path

import numpy as np

from slidecaf.classification.heatmap import read_heatmap
from slidecaf.errors import SlidecafError
from slidecaf.segmentation.outlines import seen_from, write_objects
from slidecaf.slides.ramp import nice_scale, ramp
from slidecaf.study.layout import Layout
from slidecaf.tiles.grid import slide_bounds


def explained_slides(study, folder, method):
    """List the slides of a method that have a heat map.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    folder : path-like
        The study's.
    method : str
        Of the classification.

    Returns
    -------
    slides : dict of str to pathlib.Path
        Slide to its heat map, sorted by id.
    left_out : dict of str to str
        Slide to why it has none.

    Raises
    ------
    SlidecafError
        If the method has no heat maps, or none is there yet.
    """
    known = study.config.explained
    if method not in known:
        raise SlidecafError(
            f"classification.methods: {method!r} is no method with heat maps, which linear SVMs on pooled patches and "
            "networks that learn from patches have; write "
            f"{'one of: ' + ', '.join(known) if known else 'such a method into the config'}."
        )
    pattern, slides, left_out = Layout(study.config.results, study.config.model).heatmap, {}, {}
    for row in sorted(study.classification, key=lambda row: row.slide):
        path = Path(folder, pattern.format(method=method, slide=row.slide))
        if path.is_file():
            slides[row.slide] = path
        else:
            left_out[row.slide] = "no heat map"
    if not slides:
        top = Path(pattern.format(method=method, slide="")).parent
        raise SlidecafError(f"{Path(folder, top)} holds no heat map; run the study first: make run STUDY={folder}")
    return slides, left_out


def write_qupath(slides, folder, *, method, caveats=()):
    """Write heat maps as tiles that QuPath opens, with its measurement maps or their own colours.

    Parameters
    ----------
    slides : mapping of str to path-like
        Slide to its heat map.
    folder : path-like
        Gets ``{slide}.geojson``. Each valid patch is a tile with the measurements ``Contribution`` and
        ``Patch confidence``; a slide without one has none.
    method : str
        As tiles name it.
    caveats : sequence of str, optional
        What has to be said wherever the study shows.

    Yields
    ------
    str
        Each slide's id, when it is written.

    Raises
    ------
    SlidecafError
        If a heat map is damaged.
    """
    import shapely

    for slide, path in slides.items():
        heat = read_heatmap(path)
        values, squares = heat.patch_confidence, np.empty(0, object)
        if len(values):
            squares = shapely.box(*heat.coords.T, *(heat.coords + heat.size).T)
            squares = seen_from(slide_bounds(heat.attributes)[:2], squares)
        colours = ramp(values / nice_scale(values)).round().astype(int).tolist()
        known = {key: heat.attributes[key] for key in ("intercept", "confidence") if key in heat.attributes}
        classes = {key: str(heat.attributes[key]) for key in ("against", "speaks_for") if key in heat.attributes}
        classes |= {"of": heat.of} if classes else {}
        name = "; ".join([f"{classes.get('speaks_for', '')}, {method}", *caveats])
        write_objects(
            Path(folder) / f"{slide}.geojson",
            squares,
            [
                {
                    **{"objectType": "tile", "name": name, "color": colour},
                    "measurements": {"Contribution": added, "Patch confidence": value},
                }
                for colour, added, value in zip(colours, heat.contribution.tolist(), values.tolist(), strict=True)
            ],
            about={"slide": slide, "method": method, "caveats": list(caveats), **classes}
            | {key: float(value) for key, value in known.items()},
        )
        yield slide

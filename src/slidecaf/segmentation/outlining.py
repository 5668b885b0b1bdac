"""Predicted necrosis of a batch of slides as annotations for QuPath: what the rule ``outlines`` does.

QuPath counts px from the corner of a slide's bounds, which it shows as the whole image, and so do the files.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.files.manifests import make_batch, read_manifests, slide_files
from slidecaf.logs import logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.outlines import confidence_in, seen_from, simplify, trace, write_geojson
from slidecaf.segmentation.rasters import read_attributes, read_cells
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles
from slidecaf.tiles.grid import slide_bounds


def outline_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    method: str,
    variant: str,
    segments,
    tiles,
) -> None:
    """Outline the predicted necrosis of some slides; a GeoJSON file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``tolerance`` in px, ``caveats``, ``revision`` and ``versions``.
    method, variant : str
        As annotations name them.
    segments : path-like
        The manifest of the batch's maps and masks.
    tiles : path-like
        The manifest of the batch's tiles.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file of one is damaged.
    """
    folder, tolerance, caveats = Path(manifest).parent, settings["tolerance"], settings["caveats"]
    of_segments, of_tiles = read_manifests([segments]), slide_files([tiles])

    def work(slide, files, origin):
        coords, attributes = read_tiles(of_tiles[slide].path)
        masked = of_segments[slide]["mask"].path
        said = read_attributes(masked)
        objects, means, maxima = np.empty(0, object), (), ()
        if attributes["status"] != STATUS_UNREADABLE:
            width, height = int(attributes["level0_width"]), int(attributes["level0_height"])
            size, stride = int(attributes["patch_size_level0"]), float(attributes["stride_level0"])
            cells = Cells.of_patches(coords, size, width, height, stride=stride)
            mask = read_cells(masked, cells) > 0
            exact = trace(mask, cells)
            confidence = read_cells(of_segments[slide]["confidence"].path, cells)
            means, maxima = confidence_in(exact, mask, confidence, cells)
            objects = seen_from(slide_bounds(attributes)[:2], simplify(exact, tolerance))
            said |= {"width": width, "height": height}
        logger.info("%s, %s: %d objects", slide, variant, len(objects))
        write_geojson(
            files["outlines"],
            objects,
            measurements=[
                {"Confidence: mean": float(mean), "Confidence: max": float(maximum)}
                for mean, maximum in zip(means, maxima, strict=True)
            ],
            name="; ".join([f"predicted necrosis, {method}, {variant}", *caveats]),
            about={**said, "variant": variant, "tolerance_px": tolerance, "caveats": caveats},
        )

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"outlines": folder / f"{slide}.geojson"},
        settings=settings,
        inputs=lambda slide: {
            "tiles": of_tiles[slide],
            "confidence": of_segments[slide]["confidence"],
            "mask": of_segments[slide]["mask"],
        },
    )

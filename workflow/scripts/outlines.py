"""Outline a slide's predicted necrosis as annotations for QuPath."""

import numpy as np

from slidecaf.logs import job, logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.outlines import confidence_in, simplify, trace, write_geojson
from slidecaf.segmentation.rasters import read_attributes, read_cells
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles

inputs, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
with job(snakemake.log[0]):
    coords, tiles = read_tiles(inputs.tiles)
    said = read_attributes(inputs.mask)
    objects, means, maxima = np.empty(0, object), (), ()
    if tiles["status"] != STATUS_UNREADABLE:
        size, width, height = (int(tiles[key]) for key in ("patch_size_level0", "level0_width", "level0_height"))
        cells = Cells.of_patches(coords, size, width, height, stride=float(tiles["stride_level0"]))
        mask = read_cells(inputs.mask, cells) > 0
        exact = trace(mask, cells)
        means, maxima = confidence_in(exact, mask, read_cells(inputs.confidence, cells), cells)
        objects = simplify(exact, params.tolerance)
        said |= {"width": width, "height": height}
    logger.info("%s, %s: %d objects", wildcards.slide, wildcards.variant, len(objects))
    write_geojson(
        snakemake.output[0],
        objects,
        measurements=[
            {"Confidence: mean": float(mean), "Confidence: max": float(maximum)}
            for mean, maximum in zip(means, maxima, strict=True)
        ],
        name="; ".join([f"predicted necrosis, {wildcards.method}, {wildcards.variant}", *params.caveats]),
        about={**said, "variant": wildcards.variant, "tolerance_px": params.tolerance, "caveats": params.caveats},
    )

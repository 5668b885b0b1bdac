"""Segment a slide: its confidence map, mask and overlay, and its scores where there is a mask to compare."""

import numpy as np

from slidecaf.features.file import open_features
from slidecaf.files.tables import read_json, write_json
from slidecaf.logs import job, logger
from slidecaf.scores.segmentation import slide_scores
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.maps import confidence_map, confidences, read_confidences, read_map
from slidecaf.segmentation.masks import mask_strips
from slidecaf.segmentation.overlay import overlay, placeholder
from slidecaf.segmentation.postprocess import binarise, clean, smooth
from slidecaf.segmentation.rasters import write_confidence, write_mask
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.slides import open_slide
from slidecaf.slides.thumbnail import write_jpeg
from slidecaf.study.status import STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles

inputs, output, params = snakemake.input, snakemake.output, snakemake.params
name, variant = snakemake.wildcards.slide, snakemake.wildcards.variant


def mapped(coords, cells, size, C):
    """Return the map: of a training slide by the model that left it out, of a test slide by the final one."""
    if inputs.maps:
        return read_map(inputs.maps[0], params.part, C)
    if inputs.confidences:
        return confidence_map(cells, coords, size, read_confidences(inputs.confidences[0], variant, C))
    model, known = read_models(inputs.model[0])
    own = slice(known.index(C), known.index(C) + 1)
    with open_features(inputs.features[0]) as file:
        if len(file["coords"]) != len(coords):  # left out as unreadable
            return np.full(cells.shape, np.nan, np.float32)
        return confidence_map(cells, coords, size, confidences(file, model.coef[own], model.intercept[own])[0])


def draw(cells, mask, title):
    """Draw the overlay from the slide and its mask file."""
    strips = None
    if params.masks["mask"]:
        strips = mask_strips(
            params.masks["mask"],
            slide=name,
            row=params.masks["row"],
            column="mask",
            width=int(cells.cuts_x[-1]),
            height=int(cells.cuts_y[-1]),
            mask_value=params.mask_value,
        )
    with open_slide(params.path, name=name, mpp=params.mpp) as slide:
        return overlay(slide, cells, mask, strips, title=title)


with job(snakemake.log[0]):
    chosen = read_json(inputs.choice)["chosen"]
    coords, tiles = read_tiles(inputs.tiles)
    status = str(tiles["status"])
    readable = status != STATUS_UNREADABLE
    size = int(tiles["patch_size_level0"]) if readable else 1
    width, height = (int(tiles[key]) if readable else 1 for key in ("level0_width", "level0_height"))
    stride = float(tiles["stride_level0"]) if readable else None
    mpp = float(tiles["level0_mpp"]) if readable and np.isfinite(tiles["level0_mpp"]) else None
    cells = Cells.of_patches(coords, size, width, height, stride=stride)
    values = mapped(coords, cells, size, chosen["C"]) if readable else np.full((1, 1), np.nan, np.float32)
    if status == STATUS_OK and np.isnan(values).all():
        status = STATUS_UNREADABLE  # it opened, and its patches could not be read
    smoothed = smooth(values, cells, chosen["smooth"])
    mask = clean(
        binarise(smoothed, chosen["threshold"]),
        cells.areas,
        min_object=chosen["min_object"],
        max_hole=chosen["max_hole"],
        covered=~np.isnan(values),
    )
    described = {
        "slide": name,
        "model": params.part,
        "status": status,
        **{key: int(tiles[key]) for key in ("patch_size", "stride", "patch_size_level0") if readable},
        **chosen,
    }
    write_confidence(output.confidence, values, cells, attributes=described, mpp=mpp)
    write_mask(output.mask, mask, cells, attributes=described, mpp=mpp)
    truth = read_truth(inputs.labels[0]) if inputs.labels else None
    found = {"predicted_pixels": int(cells.areas[mask].sum()), "area": width * height}
    if truth is not None:
        found |= slide_scores(mask, smoothed, truth.necrosis, cells.areas, threshold=chosen["threshold"])
    if status == STATUS_UNREADABLE and params.masks["mask"]:
        found |= {"score": 0.0}  # counts as wrong, whatever the truth is
    score = f"S = {found['score']:.3f}" if "score" in found else "no mask to compare"
    logger.info("%s, %s: %s", name, variant, score)
    write_json(output.score, {"slide": name, "variant": variant, "status": status, **chosen, **found})
    title = f"{name}, {variant}: {score}" + "".join(f"\n{caveat}" for caveat in params.caveats)
    write_jpeg(output.overlay, draw(cells, mask, title) if readable else placeholder(f"{title}\n{status}"))

"""Count a slide's masks in cells, and label its patches."""

from slidecaf.files.versions import origin
from slidecaf.logs import job, logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import count_masks, patch_labels, write_labels
from slidecaf.segmentation.masks import mask_strips
from slidecaf.slides import Limits
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles

params, slide = snakemake.params, snakemake.wildcards.slide
with job(snakemake.log[0]):
    coords, tiles = read_tiles(snakemake.input.tiles)
    truth, labels = None, []
    if tiles["status"] != STATUS_UNREADABLE:
        size, width, height = (int(tiles[key]) for key in ("patch_size_level0", "level0_width", "level0_height"))

        def strips(column, mask_value=None):
            """Read a mask; None where the sheet lists none."""
            where = {"slide": slide, "row": params.masks["row"], "column": column, "width": width, "height": height}
            where["limits"] = Limits.from_config(params.limits)
            path = params.masks[column]
            return mask_strips(path, **where, mask_value=mask_value) if path else None

        cells = Cells.of_patches(coords, size, width, height, stride=float(tiles["stride_level0"]))
        truth = count_masks(cells, strips("mask", params.mask_value), strips("hemorrhage"))
        labels = patch_labels(truth, coords, size)
        share = truth.necrosis.sum() / (width * height)
        logger.info("%s: %.2f %% of px and %d of %d patches are necrosis", slide, 100 * share, sum(labels), len(labels))
        if share in (0, 1):
            logger.warning("%s: the mask %s is %s", slide, params.masks["mask"], "full" if share else "empty")
    write_labels(snakemake.output[0], truth, labels, status=tiles["status"], origin=origin(params.code))

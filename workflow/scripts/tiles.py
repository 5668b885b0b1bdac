"""Find where a slide's patches are."""

from slidecaf import slides
from slidecaf.errors import SlideError
from slidecaf.files.versions import origin
from slidecaf.logs import job, logger
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles import grid
from slidecaf.tiles.file import write_tiles

wildcards, params = snakemake.wildcards, snakemake.params
status, coords, attributes = STATUS_UNREADABLE, [], {}
with job(snakemake.log[0]):
    try:
        limits = slides.Limits.from_config(params.limits)
        with slides.open_slide(params.path, name=wildcards.slide, mpp=params.mpp, limits=limits) as slide:
            patches = grid.tile(slide, grid.Tiling.from_config(params.tiling))
            coords, attributes = patches.coords, grid.attributes(slide, patches)
            status = STATUS_OK if len(coords) else STATUS_NO_TISSUE
            logger.info("%s: %s: %d patches; %s", wildcards.slide, status, len(coords), patches.effort)
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
    if status == STATUS_NO_TISSUE:
        logger.warning("%s: no patch is left; its prediction stays empty and counts as wrong", wildcards.slide)
    folder = f"{snakemake.output[0].rpartition('/')[0]}"
    attributes |= {"name": wildcards.slide, "savetodir": folder, "save_path": folder}
    attributes |= {"status": status, "slide_digest": params.slide}
    write_tiles(snakemake.output[0], coords, attributes, origin=origin(params.code))

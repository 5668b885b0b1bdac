"""Find where a slide's patches are."""

from slidecaf import slides, store, tiling
from slidecaf.errors import SlideError
from slidecaf.logs import job, logger
from slidecaf.versions import origin

wildcards, params = snakemake.wildcards, snakemake.params
status, coords, attributes = store.STATUS_UNREADABLE, [], {}
with job(snakemake.log[0]):
    try:
        limits = slides.Limits.from_config(params.limits)
        with slides.open_slide(params.path, name=wildcards.slide, mpp=params.mpp, limits=limits) as slide:
            patches = tiling.tile(slide, tiling.Tiling.from_config(params.tiling))
            coords, attributes = patches.coords, tiling.attributes(slide, patches)
            status = store.STATUS_OK if len(coords) else store.STATUS_NO_TISSUE
            logger.info("%s: %s: %d patches; %s", wildcards.slide, status, len(coords), patches.effort)
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
    if status == store.STATUS_NO_TISSUE:
        logger.warning("%s: no patch is left; its prediction stays empty and counts as wrong", wildcards.slide)
    folder = f"{snakemake.output[0].rpartition('/')[0]}"
    attributes |= {"name": wildcards.slide, "savetodir": folder, "save_path": folder}
    attributes |= {"status": status, "slide_digest": params.slide}
    store.write_tiles(snakemake.output[0], coords, attributes, origin=origin(params.code))

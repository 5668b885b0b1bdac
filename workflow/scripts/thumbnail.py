"""Make a slide small."""

from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.logs import job, logger
from slidecaf.segmentation.overlay import placeholder
from slidecaf.slides import Limits, open_slide
from slidecaf.slides.thumbnail import thumbnail, write_jpeg

LONGEST = 480

params, name = snakemake.params, snakemake.wildcards.slide
with job(snakemake.log[0]):
    try:
        with open_slide(params.path, name=name, limits=Limits.from_config(params.limits)) as slide:
            picture = Image.fromarray(thumbnail(slide, longest=LONGEST))
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
        picture = placeholder(f"{name}: unreadable")
    write_jpeg(snakemake.output[0], picture)

"""Choose C, threshold and post-processing of a part on the maps of slides that the mapping models never saw."""

from slidecaf.files.tables import read_tsv, write_json
from slidecaf.logs import job, logger
from slidecaf.segmentation.choice import choose_on_maps
from slidecaf.segmentation.parts import choice_slides

with job(snakemake.log[0]):
    slides = choice_slides(
        snakemake.wildcards.part, read_tsv(snakemake.input.folds), snakemake.input.maps, snakemake.input.labels
    )
    choice = choose_on_maps(slides, grid=snakemake.params.grid)
    logger.info("chosen: %s; mean score %.4f over %d slides", choice["chosen"], choice["score"], choice["n"])
    write_json(snakemake.output[0], choice)

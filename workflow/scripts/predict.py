"""Let the final models judge a test slide's patches as the network gives them; no features file is made."""

from pathlib import Path

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.files.tables import read_json
from slidecaf.files.versions import origin
from slidecaf.logs import job, logger
from slidecaf.segmentation.maps import ConfidenceWriter, write_confidences
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.tiles.file import read_tiles

wildcards, params = snakemake.wildcards, snakemake.params
with job(snakemake.log[0]):
    coords, tiles = read_tiles(snakemake.input.tiles)
    described = read_json(snakemake.input.encoder)
    models = {Path(path).parent.parent.name: read_models(path)[0] for path in snakemake.input.models}
    C = read_models(snakemake.input.models[0])[1]
    writer = ConfidenceWriter(
        len(coords),
        np.concatenate([model.coef for model in models.values()]),
        np.concatenate([model.intercept for model in models.values()]),
    )
    try:
        if len(coords):
            from slidecaf.features.extraction.slide import extract
            from slidecaf.slides import Limits

            extract(
                params.path,
                coords,
                tiles,
                writer,
                name=wildcards.slide,
                mpp=params.mpp,
                settings=params.encoder,
                precision=described["precision"],
                threads=params.threads,
                max_unreadable=params.max_unreadable,
                limits=Limits.from_config(params.limits),
            )
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
        writer.values[:] = np.nan
    values = np.split(writer.values, len(models))
    made = origin(params.code, described["weights_sha256"])
    write_confidences(snakemake.output[0], dict(zip(models, values, strict=True)), C=C, origin=made)

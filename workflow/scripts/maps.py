"""Map a training slide by every model that never saw it."""

from pathlib import Path

import numpy as np

from slidecaf.features.file import open_features
from slidecaf.files.tables import read_tsv
from slidecaf.files.versions import origin
from slidecaf.logs import job, logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import confidence_map, confidences, write_maps
from slidecaf.segmentation.parts import problems_of
from slidecaf.segmentation.solver.patch_models import read_models

BYTES = 2**28  # of confidences held at once: more models read the features once more

params, slide = snakemake.params, snakemake.wildcards.slide
with job(snakemake.log[0]), open_features(snakemake.input.features) as file:
    model_of = {Path(path).parent.name: path for path in snakemake.input.models}
    folds = read_tsv(snakemake.input.folds)
    mapping = [
        problem
        for problem in problems_of(folds, params.settings["inner_folds"], seed=params.seed)
        if slide in problem.mapped
    ]
    coords, attributes = file["coords"][:], file["coords"].attrs
    status = str(file["features"].attrs["status"])
    if opened := "level0_width" in attributes:
        size, width, height = (int(attributes[key]) for key in ("patch_size_level0", "level0_width", "level0_height"))
        cells = Cells.of_patches(coords, size, width, height, stride=float(attributes["stride_level0"]))

    def maps():
        """Give each part's maps, some parts at a time."""
        C = read_models(model_of[mapping[0].part], mapping[0].inner)[1]
        together = max(1, BYTES // max(1, 4 * len(C) * len(coords)))
        for start in range(0, len(mapping), together):
            chosen = mapping[start : start + together]
            models = [read_models(model_of[problem.part], problem.inner)[0] for problem in chosen]
            values = confidences(
                file, np.concatenate([m.coef for m in models]), np.concatenate([m.intercept for m in models])
            )
            for problem, own in zip(chosen, np.split(values, len(chosen)), strict=True):
                yield problem.part, C, (confidence_map(cells, coords, size, value) for value in own)

    made = origin(params.code, file["features"].attrs["weights_sha256"])
    write_maps(snakemake.output[0], maps() if opened else (), status=status, origin=made)
    logger.info("%s: %d patches mapped by %d parts", slide, len(coords), len(mapping))

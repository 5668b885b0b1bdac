"""The maps of a batch of training slides by every model that never saw them: what the rule ``maps`` does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.features.file import open_features
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_tsv
from slidecaf.logs import logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.context import SlideContext
from slidecaf.segmentation.maps import confidence_map, confidences, write_maps
from slidecaf.segmentation.parts import problems_of
from slidecaf.segmentation.solver.patch_models import read_models

BYTES = 2**28
"""Of confidences held at once: more models read the features once more."""


def map_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    groups,
    features,
    models: Mapping,
) -> None:
    """Map some training slides by every model that never saw them; a maps file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``inner_folds``, ``seed``, ``revision`` and ``versions``.
    groups : path-like
        ``folds.tsv``: who is left out with whom.
    features : path-like
        The manifest of the batch's features.
    models : mapping of str to path-like
        Part to its models.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file is damaged or a confidence is infinite.
    """
    of_features, folder = slide_files([features]), Path(manifest).parent
    problems = problems_of(read_tsv(groups), settings["inner_folds"], seed=settings["seed"])
    digests = {part: file_of(path) for part, path in models.items()}

    def mapping_of(slide):
        return [problem for problem in problems if slide in problem.mapped]

    def work(slide, files, origin):
        mapping = mapping_of(slide)
        with open_features(of_features[slide].path) as file:
            coords, attributes = file["coords"][:], file["coords"].attrs
            maps = ()
            if "level0_width" in attributes:  # it could be opened
                cells = Cells.of_patches(
                    coords,
                    int(attributes["patch_size_level0"]),
                    int(attributes["level0_width"]),
                    int(attributes["level0_height"]),
                    stride=float(attributes["stride_level0"]),
                )
                maps = _maps(file, coords, cells, int(attributes["patch_size_level0"]), mapping, models)
            made = {**origin, "weights_sha256": str(file["features"].attrs["weights_sha256"])}
            write_maps(files["maps"], maps, status=str(file["features"].attrs["status"]), origin=made)
        logger.info("%s: %d patches mapped by %d parts", slide, len(coords), len(mapping))

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"maps": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {
            "features": of_features[slide],
            "models": [digests[problem.part] for problem in mapping_of(slide)],
        },
    )


def _maps(file, coords, cells, size, mapping, models):
    """Give each part's maps, some parts at a time."""
    told = read_models(models[mapping[0].part], mapping[0].inner)[1]
    together = max(1, BYTES // max(1, 4 * len(told) * len(coords)))
    context = SlideContext(file["features"], file["valid"])
    for start in range(0, len(mapping), together):
        chosen = mapping[start : start + together]
        own = [read_models(models[problem.part], problem.inner)[0] for problem in chosen]
        coef, intercept = (np.concatenate([getattr(model, key) for model in own]) for key in ("coef", "intercept"))
        values = confidences(file, *context.of(coef, intercept))
        for problem, value in zip(chosen, np.split(values, len(chosen)), strict=True):
            yield problem.part, told, (confidence_map(cells, coords, size, one) for one in value)

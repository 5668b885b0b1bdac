"""The maps of a batch of slides by every model of regions: what the rule ``region_maps`` does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_tsv
from slidecaf.logs import logger
from slidecaf.segmentation.candidates import models_of
from slidecaf.segmentation.graph_rlm.file import cells_of, read_regions
from slidecaf.segmentation.graph_rlm.learning import read_region_models
from slidecaf.segmentation.maps import write_maps
from slidecaf.segmentation.parts import FINAL, problems_of
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles


def map_regions(
    manifest, slides: Mapping[str, Mapping], settings: Mapping, *, groups, regions, models: Mapping
) -> None:
    """Map some slides by every model that never saw them; a maps file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``inner_folds``, ``seed``, the ``grid`` of candidates (``clusters``, ``comp_thr``, ``dist_thr``), ``revision``
        and ``versions``.
    groups : path-like
        ``folds.tsv``: who is left out with whom; a slide that is not among them is mapped by the final model.
    regions : path-like
        The manifest of the batch's regions.
    models : mapping of str to path-like
        Part to its models.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file is damaged.
    """
    of_regions, folder, candidates = slide_files([regions]), Path(manifest).parent, models_of(settings["grid"])
    problems = problems_of(read_tsv(groups), settings["inner_folds"], seed=settings["seed"])
    learned = {slide for problem in problems for slide in problem.trained_on}
    digests = {part: file_of(path) for part, path in models.items()}

    def mapping_of(slide):
        if slide not in learned:
            return [problem for problem in problems if problem.part == FINAL]
        return [problem for problem in problems if slide in problem.mapped]

    def work(slide, files, origin):
        path, mapping = of_regions[slide].path, mapping_of(slide)
        (status, described), (_, attributes) = read_regions(path), read_tiles(path)
        made = []
        if status != STATUS_UNREADABLE:
            nothing = np.full(cells_of(attributes), np.nan, np.float32)
            for problem in mapping:
                known = read_region_models(models[problem.part], problem.inner) if described else {}
                maps = (_map(described, known[one], one) if described else nothing for one in candidates)
                made.append((problem.part, candidates, list(maps)))
        write_maps(files["maps"], made, status=status, origin=origin)
        logger.info("%s: mapped by %d parts", slide, len(made))

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"maps": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {
            "regions": of_regions[slide],
            "models": [digests[problem.part] for problem in mapping_of(slide)],
        },
    )


def _map(described, model, candidate):
    """Return a slide's confidence by cells."""
    _, *pair = candidate
    return model.confidences(described.vectors(tuple(pair)))[described.cells(tuple(pair))].astype(np.float32)

"""Which regions are necrosis, learned for every part: what the rule ``region_models`` does."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json
from slidecaf.segmentation.candidates import model_of
from slidecaf.segmentation.graph_rlm.clusters import Clusters, fit_clusters
from slidecaf.segmentation.graph_rlm.file import read_regions
from slidecaf.segmentation.labels import check_truths, read_truth
from slidecaf.segmentation.parts import problems_of
from slidecaf.study.kinds import SEGMENTATION_KINDS
from slidecaf.study.status import check_read

TOLD_BY = SEGMENTATION_KINDS["graph-rlm"].told_by


def fit_region_models(
    models: Mapping,
    *,
    regions: Mapping,
    labels: Mapping,
    folds,
    clusters: Sequence[int],
    inner_folds: int,
    seed: int,
    on_bad_slide: str = "fail",
    sheet: str = "the sheet",
) -> None:
    """Learn for every part, and its inner folds, which regions are necrosis.

    Parameters
    ----------
    models : mapping of str to path-like
        Part to the JSON that is written for it: for each inner fold and the part itself (``inner`` is null) the
        `Clusters` of every candidate.
    regions, labels : mapping of str to path-like
        Training slide to file.
    folds : path-like
        The table of who is left out together.
    clusters : sequence of int
        Candidates.
    inner_folds, seed : int
        As for `problems_of`; the seed is also that of k-means.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.
    sheet : str, optional
        The path of the sheet that lists the masks, for errors.

    Raises
    ------
    SlidecafError
        If no training mask has foreground, or none background; if no training slide of a part has tissue; or if a file
        is missing or damaged.
    """
    check_truths(labels.values(), sheet=sheet)
    rows = {slide: _rows(slide, regions[slide], labels[slide], on_bad_slide) for slide in regions}
    pairs = next((list(own) for own in rows.values() if own), [])
    written = {part: [] for part in models}
    for problem in problems_of(read_tsv(folds), inner_folds, seed=seed):
        own = [rows[slide] for slide in problem.trained_on if rows[slide]]
        if not own:
            raise SlidecafError(
                f"{problem.part}: no slide that its model learns from has tissue; add training slides, or set fewer "
                "folds."
            )
        found = []
        for pair in pairs:
            learned = [np.concatenate(side) for side in zip(*(one[pair] for one in own), strict=True)]
            for count in clusters:
                model = fit_clusters(*learned, count, seed=seed)
                found.append({**dict(zip(TOLD_BY, (count, *pair), strict=True)), **asdict(model)})
        written[problem.part].append({"inner": problem.inner, "models": found})
    for part, path in models.items():
        write_json(path, {"part": part, "problems": written[part]})


def read_region_models(path, inner) -> dict:
    """Read the models of a part, or of one of its inner folds.

    Parameters
    ----------
    path : path-like
        From `fit_region_models`.
    inner : int or None
        The inner fold; None for the part itself.

    Returns
    -------
    dict of tuple to Clusters
        By candidate, as `slidecaf.segmentation.candidates.model_of` gives it.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    problem = next(one for one in read_json(path)["problems"] if one["inner"] == inner)
    return {model_of({key: one[key] for key in TOLD_BY}): Clusters.of_plain(one) for one in problem["models"]}


def _rows(slide, regions, labels, on_bad_slide):
    """Return of each pair of thresholds a slide's regions: features, px of necrosis and px; nothing without tissue."""
    status, described = read_regions(regions)
    check_read(regions, slide, status, on_bad_slide)
    if described is None:
        return {}
    truth, rows = read_truth(labels), {}
    for pair in described.regions:
        vectors, region = described.vectors(pair), described.cells(pair).ravel()
        necrosis, area = (
            np.bincount(region, px.ravel(), len(vectors)).astype(np.int64) for px in (truth.necrosis, truth.cells.areas)
        )
        seen = area > 0  # the least of circles may own no cell
        rows[pair] = vectors[seen], necrosis[seen], area[seen]
    return rows

"""The choice of C, smoothing, threshold and sizes on maps by models that never saw the slide (section 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.logs import logger
from slidecaf.scores.segmentation import dice
from slidecaf.segmentation.candidates import SIZES, model_keys, model_of, models_of
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.maps import read_map
from slidecaf.segmentation.parts import FINAL
from slidecaf.segmentation.postprocess import binarise, clean, filled_sums, remove_small_objects, running_sums, smooth

KEYS = ("C", *SIZES)
"""What a setting of an SVM is made of, beside the threshold."""

POOLED = 1024
"""Values of each slide's map of which thresholds are quantiles: every slide counts alike."""

QUANTILES = np.concatenate([np.linspace(0, 0.95, 39), [0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 1]])
"""Of all values; denser at the top, since necrosis may be a small share of the tissue."""

STEPS = 40
"""Thresholds that are tried beside the chosen one, from the lowest to the highest of all values."""

FINER = 24
"""Thresholds that are tried between the neighbours of the best one."""

NOTE = "The score is that of the slides on which the setting was chosen; it says nothing of others."


@dataclass(frozen=True, eq=False)
class Judged:
    """A slide whose map is held against its truth.

    Attributes
    ----------
    name : str
    cells : slidecaf.segmentation.cells.Cells
    truth : ndarray of int64, shape (rows, columns)
        Px of necrosis in each cell.
    read : callable
        C, or what else tells the models apart (`slidecaf.segmentation.candidates.model_of`), to the slide's map,
        float32 of shape (rows, columns), by a model that never saw the slide.
    """

    name: str
    cells: Cells
    truth: np.ndarray
    read: Callable


def write_choice(path, *, part, folds, maps, labels, grid) -> None:
    """Choose C, threshold and post-processing of a part, and write ``choice.json``.

    Parameters
    ----------
    path : path-like
    part : str
        ``fold-{k}`` or ``final``.
    folds : path-like
        The table of who is left out together.
    maps, labels : dict of str to path-like
        Slide to file, of `choice_slides` at least.
    grid : dict
        As for `choose_on_maps`.

    Raises
    ------
    SlidecafError
        As `choose_on_maps`; or if a file is missing or damaged.
    """
    choice = choose_on_maps(choice_slides(part, read_tsv(folds), maps, labels), grid=grid)
    logger.info("chosen: %s; mean score %.4f over %d slides", choice["chosen"], choice["score"], choice["n"])
    write_json(path, choice)


def write_thresholds(path, *, folds, maps, labels, choice) -> None:
    """Write ``thresholds.tsv``: the score of the left-out maps at many thresholds, all else as chosen for the end.

    Parameters
    ----------
    path : path-like
        The table: threshold, score.
    folds : path-like
        The table of who is left out together.
    maps, labels : dict of str to path-like
        Slide to file, of all training slides.
    choice : path-like
        ``choice.json`` of the final part.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    slides = choice_slides(FINAL, read_tsv(folds), maps, labels)
    curve = threshold_curve(slides, read_json(choice)["chosen"])
    rows = [{"threshold": threshold, "score": score} for threshold, score in zip(*curve, strict=True)]
    write_tsv(path, ["threshold", "score"], rows)


def choice_slides(part, folds, maps, labels) -> list[Judged]:
    """Return the slides on whose maps a part's C and threshold are chosen.

    For a part that leaves slides out, these are all others, by its inner models. For the final model they are all
    training slides, by the models of the parts that leave them out.

    Parameters
    ----------
    part : str
    folds : list of dict
        Rows of ``folds.tsv``.
    maps, labels : dict of str to path-like
        Slide to file, of these slides at least.

    Returns
    -------
    list of Judged
        Sorted by slide; slides that could not be opened have no map and are not among them.
    """
    group = {row["slide"]: f"fold-{row['fold']}" for row in folds}
    judged = []
    for slide in sorted(slide for slide in group if group[slide] != part):
        truth = read_truth(labels[slide])
        if truth is not None:
            read = partial(read_map, maps[slide], group[slide] if part == FINAL else part)
            judged.append(Judged(slide, truth.cells, truth.necrosis, read))
    return judged


def choose_on_maps(slides, *, grid):
    """Choose C, smoothing, threshold, smallest object and largest hole together, by the best mean score.

    A first pass tries thresholds at quantiles of all maps with every setting, a second one finer thresholds around
    the best. Of equal settings the simplest is taken: the smaller C, then less smoothing, the smaller object and the
    smaller hole, then the threshold nearest 0. Only one slide's maps are in memory.

    Parameters
    ----------
    slides : sequence of Judged
        Each counts alike.
    grid : dict
        ``C``, ``smooth``, ``min_object`` and ``max_hole``, each a list as in the config. Other kinds than the SVM have
        settings of their own in place of ``C``, of which each combination is tried.

    Returns
    -------
    dict
        For ``choice.json``.

        chosen : C, smooth, threshold, min_object, max_hole. What is above the threshold is necrosis.
        score, n : the mean score S over the slides, and how many.
        candidates : every setting with its best threshold of the first pass and that score.
        note : what a reader must know before trusting the score.

    Raises
    ------
    SlidecafError
        If there is no slide, or a map is infinite somewhere or of another shape than the truth.
    """
    if not slides:
        raise SlidecafError("no slide has a map to choose a threshold on; add training slides that can be read.")
    models = model_keys(grid)
    settings = list(product(models_of(grid), *(grid[key] for key in SIZES)))
    thresholds = {pair: _quantiles(slides, *pair) for pair in dict.fromkeys(setting[:2] for setting in settings)}
    first = _search(slides, settings, {setting: thresholds[setting[:2]] for setting in settings})
    best = {setting: _best(setting, *first[setting]) for setting in settings}
    winner = min(settings, key=lambda setting: best[setting])
    tried = first[winner][0]
    place = int(np.flatnonzero(tried == best[winner][-1])[0])
    low, high = tried[max(0, place - 1)], tried[min(len(tried) - 1, place + 1)]
    finer = np.unique(np.append(np.linspace(low, high, FINER + 2), tried[place]).astype(np.float32))
    rank = _best(winner, *_search(slides, [winner], {winner: finer})[winner])
    return {
        "chosen": _named(models, winner) | {"threshold": float(rank[-1])},
        "score": -rank[0],
        "n": len(slides),
        "candidates": [
            _named(models, setting) | {"threshold": float(best[setting][-1]), "score": -best[setting][0]}
            for setting in settings
        ],
        "note": NOTE,
    }


def _named(models, setting):
    """Return a setting by name, what tells its models apart first."""
    of_models = setting[0] if isinstance(setting[0], tuple) else setting[:1]
    return dict(zip((*models, *SIZES), (*of_models, *setting[1:]), strict=True))


def _best(setting, thresholds, scores):
    """Return what to sort a setting by: its best score, then what is simpler; last its threshold."""
    scores = np.round(scores, 12)  # sums in another order are no better
    tied = thresholds[scores == scores.max()]
    threshold = tied[np.lexsort((tied, np.abs(tied)))[0]]
    return -float(scores.max()), *setting, abs(float(threshold)), float(threshold)


def _read(slide, C, sigma):
    values = slide.read(C)
    if values.shape != slide.truth.shape:
        raise SlidecafError(
            f"slide {slide.name}: its map has {values.shape} cells and its labels {slide.truth.shape}; delete the "
            "slide's maps and labels and run again."
        )
    if np.isinf(values).any():
        raise SlidecafError(f"slide {slide.name}: its map is infinite somewhere; delete its features and run again.")
    return smooth(values, slide.cells, sigma)


def _quantiles(slides, C, sigma):
    """Return thresholds to try: 0, and quantiles of the values of all slides.

    All covered cells are above the first, none is above the last.
    """
    pooled = []
    for slide in slides:
        values = _read(slide, C, sigma)
        values = np.sort(values[~np.isnan(values)])
        if len(values):
            pooled.append(values[np.linspace(0, len(values) - 1, POOLED).round().astype(int)])
    if not pooled:
        return np.zeros(1, np.float32)
    levels = np.quantile(np.concatenate(pooled), QUANTILES, method="inverted_cdf").astype(np.float32)
    below = np.nextafter(levels[0], np.float32(-np.inf))
    return np.unique(np.append(levels, [np.float32(0), below]))


def _search(slides, settings, thresholds):
    """Return for every setting its thresholds and their mean scores over slides."""
    sums = {setting: np.zeros(len(thresholds[setting])) for setting in settings}
    by_map = {}
    for setting in settings:
        by_map.setdefault(setting[:2], []).append(setting)
    for slide in slides:
        for (C, sigma), own in by_map.items():
            values = _read(slide, C, sigma)
            scores = _slide_scores(values, slide, thresholds[own[0]], [setting[2:] for setting in own])
            for setting, score in zip(own, scores, strict=True):
                sums[setting] += score
    return {setting: (thresholds[setting], sums[setting] / len(slides)) for setting in settings}


def _slide_scores(values, slide, thresholds, sizes):
    """Return the score for each pair of sizes and each threshold, (sizes, thresholds)."""
    areas, covered = slide.cells.areas, ~np.isnan(values)
    running = running_sums(areas, areas * covered, slide.truth * covered)
    objects, holes = (sorted({pair[k] for pair in sizes}) for k in (0, 1))
    sums = np.empty((len(thresholds), len(objects), len(holes), len(running)))
    before = None
    for k, threshold in enumerate(thresholds):
        mask = binarise(values, threshold)
        count = np.count_nonzero(mask)
        if count == before:  # masks are nested: as many cells are the same cells
            sums[k] = sums[k - 1]
            continue
        before, left = count, None
        for i, kept in enumerate(remove_small_objects(mask, areas, objects)):
            if left == (left := np.count_nonzero(kept)):  # the same for objects, from small to large
                sums[k, i] = sums[k, i - 1]
            else:
                sums[k, i] = filled_sums(kept, running, holes)
    _, predicted, hit = np.moveaxis(sums, -1, 0)
    scores = dice(hit, predicted, slide.truth.sum())
    return np.stack([scores[:, objects.index(least), holes.index(most)] for least, most in sizes])


def threshold_curve(slides, chosen):
    """Score maps at many thresholds, all else as it was chosen.

    Parameters
    ----------
    slides : sequence of slidecaf.segmentation.choice.Judged
        Each counts alike.
    chosen : dict
        As `choose_on_maps` gives it.

    Returns
    -------
    thresholds : ndarray of float32, shape (n,)
        Ascending; the chosen one is among them.
    scores : ndarray of float64, shape (n,)
        The mean score S over the slides.
    """
    model = model_of(chosen)
    ranges = [_range(slide.read(model)) for slide in slides]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    thresholds = np.unique(np.append(np.linspace(low, high, STEPS), chosen["threshold"]).astype(np.float32))
    scores = np.zeros(len(thresholds))
    for slide in slides:
        values, areas = slide.read(model), slide.cells.areas
        covered, smoothed = ~np.isnan(values), smooth(values, slide.cells, chosen["smooth"])
        for k, threshold in enumerate(thresholds):
            mask = clean(
                binarise(smoothed, threshold),
                areas,
                min_object=chosen["min_object"],
                max_hole=chosen["max_hole"],
                covered=covered,
            )
            scores[k] += dice(slide.truth[mask].sum(), areas[mask].sum(), slide.truth.sum())
    return thresholds, scores / len(slides)


def _range(values):
    """Return the smallest and the largest value of a map; 0 and 0 where it has none."""
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)

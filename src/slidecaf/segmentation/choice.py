"""The choice of C, smoothing, threshold and sizes on maps by models that never saw the slide (section 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.scores.segmentation import dice
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.postprocess import binarise, clean, filled_sums, remove_small_objects, running_sums, smooth

KEYS = ("C", "smooth", "min_object", "max_hole")
"""What a setting is made of, beside the threshold."""

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
        C to the slide's map, float32 of shape (rows, columns), by a model that never saw the slide.
    """

    name: str
    cells: Cells
    truth: np.ndarray
    read: Callable


def choose_on_maps(slides, *, grid) -> dict:
    """Choose C, smoothing, threshold, smallest object and largest hole together, by the best mean score.

    A first pass tries thresholds at quantiles of all maps with every setting, a second one finer thresholds around
    the best. Of equal settings the simplest is taken: the smaller C, then less smoothing, the smaller object and the
    smaller hole, then the threshold nearest 0. Only one slide's maps are in memory.

    Parameters
    ----------
    slides : sequence of Judged
        Each counts alike.
    grid : dict
        ``C``, ``smooth``, ``min_object`` and ``max_hole``, each a list as in the config.

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
    settings = list(product(*(grid[key] for key in KEYS)))
    thresholds = {(C, sigma): _quantiles(slides, C, sigma) for C, sigma in product(grid["C"], grid["smooth"])}
    first = _search(slides, settings, {setting: thresholds[setting[:2]] for setting in settings})
    best = {setting: _best(setting, *first[setting]) for setting in settings}
    winner = min(settings, key=lambda setting: best[setting])
    tried = first[winner][0]
    place = int(np.flatnonzero(tried == best[winner][-1])[0])
    low, high = tried[max(0, place - 1)], tried[min(len(tried) - 1, place + 1)]
    finer = np.unique(np.append(np.linspace(low, high, FINER + 2), tried[place]).astype(np.float32))
    rank = _best(winner, *_search(slides, [winner], {winner: finer})[winner])
    return {
        "chosen": dict(zip(KEYS, winner, strict=True)) | {"threshold": float(rank[-1])},
        "score": -rank[0],
        "n": len(slides),
        "candidates": [
            dict(zip(KEYS, setting, strict=True)) | {"threshold": float(best[setting][-1]), "score": -best[setting][0]}
            for setting in settings
        ],
        "note": NOTE,
    }


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


def threshold_curve(slides, chosen) -> tuple[np.ndarray, np.ndarray]:
    """Score maps at many thresholds, all else as it was chosen.

    Parameters
    ----------
    slides : sequence of slidecaf.segmentation.choice.Judged
        Each counts alike.
    chosen : dict
        C, smooth, threshold, min_object and max_hole, as `slidecaf.segmentation.choice.choose_on_maps` gives them.

    Returns
    -------
    thresholds : ndarray of float32, shape (n,)
        Ascending; the chosen one is among them.
    scores : ndarray of float64, shape (n,)
        The mean score S over the slides.
    """
    ranges = [_range(slide.read(chosen["C"])) for slide in slides]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    thresholds = np.unique(np.append(np.linspace(low, high, STEPS), chosen["threshold"]).astype(np.float32))
    scores = np.zeros(len(thresholds))
    for slide in slides:
        values, areas = slide.read(chosen["C"]), slide.cells.areas
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

"""The mean score of maps at many thresholds: whether the chosen one stands on a flat top or on a peak."""

import numpy as np

from slidecaf.postprocess import binarise, clean, smooth
from slidecaf.scores import dice

STEPS = 40
"""Thresholds that are tried beside the chosen one, from the lowest to the highest of all values."""


def threshold_curve(slides, chosen):
    """Score maps at many thresholds, all else as it was chosen.

    Parameters
    ----------
    slides : sequence of slidecaf.map_choice.Judged
        Each counts alike.
    chosen : dict
        C, smooth, threshold, min_object and max_hole, as `slidecaf.map_choice.choose_on_maps` gives them.

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

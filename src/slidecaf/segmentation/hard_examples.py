"""Hard examples: patches in regions that left-out maps miss or falsely find (paper, section 3.3, change 2)."""

import numpy as np

from slidecaf.files.tables import read_tsv, write_json, write_tsv
from slidecaf.logs import logger
from slidecaf.segmentation.candidates import model_of
from slidecaf.segmentation.cells import box_sums
from slidecaf.segmentation.choice import choice_slides, choose_on_maps
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.postprocess import binarise
from slidecaf.segmentation.rows import on_grid
from slidecaf.tiles.file import read_tiles

MISSED, FALSE = "missed", "false"

RAW = {"smooth": [0], "min_object": [0], "max_hole": [0]}
"""Maps as they are: the sizes of objects and holes change no SVM."""


def find_hard_examples(
    examples, summary, *, folds, tiles, labels, maps, C, training_stride, stride, copies, max_share, seed, context=None
) -> None:
    """Find the hard examples of every part on maps by models that never saw the slide.

    A region is missed or false by a C and a threshold that are chosen for this purpose, on the same maps, without
    post-processing.

    Parameters
    ----------
    examples : dict of str to path-like
        Part to the table that is written for it: slide, x, y (px of level 0), kind (missed or false).
    summary : path-like
        JSON that is written: for each part C and threshold, its training rows, and how many were found and drawn.
    folds : path-like
        The table of who is left out together.
    tiles, labels, maps : dict of str to path-like
        Training slide to file; the maps are those of the plain variant.
    C : sequence of float
    context : sequence of {"none", "slide"}, optional
        The candidates that the maps were made with; by default of C alone.
    training_stride, stride : int
        Px of the tiling from one patch to the next: of the training grid, and of the search.
    copies, max_share, seed
        As for `draw`.

    Raises
    ------
    SlidecafError
        If a stride does not suit the tiling, no slide has a map, or a file is missing or damaged.
    """
    rows, said, grid = read_tsv(folds), {}, {"C": C, **({"context": context} if context else {})}
    for part, path in examples.items():
        slides = choice_slides(part, rows, maps, labels)
        chosen = choose_on_maps(slides, grid={**grid, **RAW})["chosen"]
        found, training_rows = [], 0
        for judged in slides:
            coords, attributes = read_tiles(tiles[judged.name])
            training_rows += int(on_grid(coords, attributes, training_stride).sum())
            coords = coords[on_grid(coords, attributes, stride)]
            predicted = binarise(judged.read(model_of(chosen)), chosen["threshold"])
            truth = read_truth(labels[judged.name])
            patches = hard_patches(truth, predicted, coords, int(attributes["patch_size_level0"]))
            found += [
                {"slide": judged.name, "x": int(coords[k, 0]), "y": int(coords[k, 1]), "kind": kind}
                for kind, places in patches.items()
                for k in places
            ]
        drawn = draw(found, training_rows=training_rows, copies=copies, max_share=max_share, seed=seed)
        write_tsv(path, ["slide", "x", "y", "kind"], drawn)
        kinds = {kind: sum(row["kind"] == kind for row in found) for kind in (MISSED, FALSE)}
        used = {key: chosen[key] for key in (*grid, "threshold")}
        said[part] = {**used, "training_rows": training_rows, **kinds, "drawn": len(drawn)}
        logger.info("%s: %s", part, said[part])
        if not drawn:
            logger.warning("%s: no hard example found: retraining equals plain", part)
    write_json(summary, said)


def hard_patches(truth, predicted, coords, patch_size) -> dict:
    """Find patches with more than half their area in a missed region, or in a false one.

    Parameters
    ----------
    truth : slidecaf.segmentation.labels.Truth
    predicted : ndarray of bool, shape (rows, columns)
        Of the same cells.
    coords : ndarray of int64, shape (N, 2)
        x and y of the patches to look at, at level 0.
    patch_size : int
        The side of a patch in px of level 0. Only pixels of the slide count.

    Returns
    -------
    dict of str to ndarray of int64
        ``missed`` (true and not predicted; hemorrhage is never missed) and ``false`` (predicted and not true), each
        with the places in `coords`, ascending.
    """
    spans = truth.cells.spans(coords, patch_size)
    half = box_sums(truth.cells.areas, *spans) / 2
    missed = np.where(predicted, 0, truth.necrosis - truth.both)
    false = np.where(predicted, truth.cells.areas - truth.necrosis, 0)
    return {
        MISSED: np.flatnonzero(box_sums(missed, *spans) > half),
        FALSE: np.flatnonzero(box_sums(false, *spans) > half),
    }


def draw(rows, *, training_rows, copies, max_share, seed) -> list:
    """Draw as many hard examples as may join the training rows.

    Parameters
    ----------
    rows : list
        All that were found, in a fixed order.
    training_rows : int
        The training rows that they join.
    copies : int
        How many more times each counts.
    max_share : float
        Of `training_rows` that the copies may add at most.
    seed : int

    Returns
    -------
    list
        Those drawn, in the same order; all of them where they are few enough.
    """
    most = int(max_share * training_rows / copies)
    if len(rows) <= most:
        return list(rows)
    drawn = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return [rows[k] for k in np.sort(drawn)]

"""The SVMs of patches: for every part its inner models and its own, for every C, from features that are read once."""

from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np

from slidecaf.features.file import open_features
from slidecaf.files.hdf5 import scratch
from slidecaf.files.tables import read_tsv
from slidecaf.logs import logger
from slidecaf.segmentation.candidates import models_of
from slidecaf.segmentation.context import NONE, InContext, slide_statistics
from slidecaf.segmentation.labels import check_truths
from slidecaf.segmentation.parts import problems_of
from slidecaf.segmentation.rows import read_patch_rows, row_weights
from slidecaf.segmentation.solver.patch_models import PatchModels, fit_left_out, write_models


def fit_parts(
    models,
    *,
    features,
    labels,
    folds,
    hard,
    copies,
    training_stride,
    inner_folds,
    C,
    max_iter,
    seed,
    memory,
    threads,
    context=None,
    solver="numpy",
    on_bad_slide="fail",
    sheet="the sheet",
    origin=None,
) -> None:
    """Fit the SVMs of patches of every part, and write them.

    Parameters
    ----------
    models : dict of str to path-like
        Part to the file that is written for it, as `write_models` does.
    features, labels : dict of str to path-like
        Training slide to file.
    folds : path-like
        The table of who is left out together.
    hard : dict of str to path-like
        Part to its table of hard examples, for every part; empty for the plain variant.
    copies : int
        How many more times a hard example counts.
    training_stride : int
        Px of the tiling from one patch of the training grid to the next.
    inner_folds, seed : int
        As for `problems_of`.
    C : sequence of float
    max_iter : int
        Newton steps of a fit.
    memory : int
        Bytes that patches and fits may take together; beyond half of it patches lie on disk. No result depends on it,
    threads : int
        nor on how many threads work.
    context : sequence of {"none", "slide"}, optional
        Candidates; every one has models of its own for every C. By default there is none but C.
    solver : {"numpy", "torch"}, optional
        What sums over rows: NumPy, or torch on a GPU, if there is one, which the files then say.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.
    sheet : str, optional
        The path of the sheet that lists the masks, for errors.
    origin : mapping, optional
        What the files say of how they were made, beside the digest of the network's weights.

    Raises
    ------
    SlidecafError
        As `read_patch_rows` and `fit_left_out`; or if no training mask has foreground, or none background; or if a file
        is missing or damaged.
    """
    check_truths(labels.values(), sheet=sheet)
    examples = {
        part: [(row["slide"], int(row["x"]), int(row["y"])) for row in read_tsv(path)] for part, path in hard.items()
    }
    listed = problems_of(read_tsv(folds), inner_folds, seed=seed)
    with _sums_on(solver) as device, scratch(Path(next(iter(models.values()))).parent, memory // 2) as room:
        rows = read_patch_rows(
            features,
            labels,
            training_stride=training_stride,
            hard={row for found in examples.values() for row in found},
            on_bad_slide=on_bad_slide,
            room=room,
        )
        logger.info(
            "%d patches of %d values, %d of them necrosis; %d sets of rows, %d models each",
            *(*rows.matrix.shape, rows.labels.sum(), len(listed), len(C) * len(context or [NONE])),
        )
        left = memory - min(memory // 2, rows.matrix.nbytes)
        matrices = {one: rows.matrix if one == NONE else _in_context(rows, features) for one in context or [NONE]}
        told = models_of({"C": C, **({"context": context} if context else {})})

        def fit(problems, hard=()):
            weights = [row_weights(rows, problem, hard, copies=copies) for problem in problems]
            settings = {"max_iter": max_iter, "memory": left, "threads": threads, "device": device}
            found = {one: fit_left_out(of, rows.labels, weights, C, **settings) for one, of in matrices.items()}
            return [
                _side_by_side(dict(zip(found, one, strict=True)), C, told) for one in zip(*found.values(), strict=True)
            ]

        if examples:  # which rows are hard examples of a part, no other part may know
            parts = groupby(listed, lambda problem: problem.part)
            fitted = [model for part, own in parts for model in fit(list(own), examples[part])]
        else:
            fitted = fit(listed)
    _warn(listed, fitted, told, max_iter)
    with open_features(features[min(features)]) as file:
        made = {**(origin or {}), "weights_sha256": str(file["features"].attrs["weights_sha256"])}
    made |= {"solver": f"torch, {device.partition(':')[0]}"} if device else {}
    for part, path in models.items():
        own = [k for k, problem in enumerate(listed) if problem.part == part]
        inner = [listed[k].inner for k in own]
        write_models(path, [fitted[k] for k in own], C=told, inner=inner, origin=made)


@contextmanager
def _sums_on(solver):
    """Hold the device that sums over rows for the length of a block; None is given where NumPy does."""
    if solver == "numpy":
        yield None
        return
    from slidecaf.features.extraction import devices  # here: torch

    with devices.device() as device:
        logger.info("SVMs are fitted by torch, %s", device)
        yield str(device)


def _in_context(rows, features):
    """Return the rows with their context: of all valid patches of a slide, not only of those that are learned from."""
    slides, places = np.unique(rows.slides, return_inverse=True)
    statistics = []
    for slide in slides:
        with open_features(features[slide]) as file:
            statistics.append(slide_statistics(file["features"], file["valid"]))
    return InContext(rows.matrix, places, statistics)


def _side_by_side(models, C, told):
    """Return the models of a problem in the order of what tells them apart; without context no weight is on it.

    `models` is context to models for every C.
    """
    if told == list(C):
        return models[NONE]
    width = max(one.coef.shape[1] for one in models.values())
    parts = [(models[context], C.index(value)) for value, context in told]
    first = parts[0][0]
    return PatchModels(
        coef=np.stack([np.pad(one.coef[k], (0, width - one.coef.shape[1])) for one, k in parts]),
        intercept=np.array([one.intercept[k] for one, k in parts]),
        constant=first.constant,
        converged=np.array([one.converged[k] for one, k in parts]),
        rows=first.rows,
        positive=first.positive,
    )


def _warn(listed, fitted, told, max_iter):
    """Say which models tell nothing apart, and which fits were not done."""
    for problem, model in zip(listed, fitted, strict=True):
        where = problem.part if problem.inner is None else f"{problem.part}, inner fold {problem.inner}"
        if model.constant:
            kind = "necrosis" if model.positive else "without necrosis"
            logger.warning("%s: all %d patches are %s: its confidence is constant", where, model.rows, kind)
        for value, converged in zip(told, model.converged, strict=True):
            if not converged:
                logger.warning("%s: C = %s did not converge in %d steps", where, value, max_iter)

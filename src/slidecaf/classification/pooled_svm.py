"""Kind ``svm``, the paper's: pooled vectors, features with a large difference of class means, a linear SVM.

What each of its functions is for stands in `slidecaf.classification.kinds`.
"""

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.classification.choice import choose
from slidecaf.classification.kinds import Learned, Training
from slidecaf.classification.svm import LinearSVM
from slidecaf.classification.vectors import PooledVectors
from slidecaf.errors import SlidecafError
from slidecaf.logs import logger
from slidecaf.pooling.norms import parse_norm

SOURCE = PooledVectors


def fit(training: Training) -> Learned:
    """Choose a candidate, select its features and fit its SVM, from pooled vectors that are read once.

    Parameters
    ----------
    training : Training
        Its settings are a `slidecaf.study.config.ClassificationSvm`.

    Returns
    -------
    Learned

    Raises
    ------
    SlidecafError
        As `slidecaf.classification.choice.choose`; or if inner products of all rows take more than the memory allowed.
    """
    products = 8 * len(training.slides) ** 2 / 2**30
    if products > training.memory:
        raise SlidecafError(
            f"{training.method}: inner products of {len(training.slides)} training rows take {products:.1f} GiB, and "
            f"memory is {training.memory:g}; raise it where the machine has more, or learn from fewer rows."
        )
    grid = training.settings.plain()
    norms = [parse_norm(norm) for norm in grid["norm"]]
    # products of matrices round otherwise with another number of threads
    with threadpool_limits(training.threads):
        found, fitted = choose(
            {
                (name, norm): training.source.matrix(name, norm, training.slides)
                for name in grid["features"]
                for norm in norms
            },
            training.labels,
            training.patients,
            classes=training.classes,
            grid=grid,
            inner_folds=training.inner_folds,
            seed=training.seed,
            max_iter=grid["max_iter"],
            scheme=grid["scheme"],
            choose_by=grid["choose_by"],
            method=training.method,
            calibrated=training.calibrated,
        )
    for dropped in found["dropped"]:
        logger.warning("dropped: %s", dropped)
    logger.info("chosen: %s. %s", found["chosen"], found["note"])
    kept = fitted.selection.tolist()
    return Learned(
        chosen=found["chosen"],
        model={"selection": kept, **fitted.model.to_dict()},
        weights={feature: fitted.difference[feature] for feature in kept},
        measure="difference",
        choice=found,
        inner=fitted.inner,
    )


def decide(model, source: PooledVectors, slides) -> np.ndarray:
    """Return the SVM's confidences.

    Parameters
    ----------
    model : dict
        ``model.json``.
    source : PooledVectors
    slides : sequence of str, n of them

    Returns
    -------
    ndarray of float64, shape (n,) or (n, K)

    Raises
    ------
    SlidecafError
        If the model is damaged.
    """
    vectors = source.matrix(model["features"], model["norm"], slides)
    return LinearSVM.from_dict(model).decision(vectors[:, model["selection"]])

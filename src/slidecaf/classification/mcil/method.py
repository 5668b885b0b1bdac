"""Kind ``mcil``: slides are bags of patches, of which `slidecaf.classification.mcil.model.MCIL` learns.

What each of its functions is for stands in `slidecaf.classification.kinds`. A slide's confidence is its log odds less
the threshold. A bag has as many chances to be positive as it has patches, so that log odds of slides that were not
learned from lean to one side; where that is, only slides that a model never saw can tell.
"""

import numpy as np

from slidecaf.classification.bags import Bags
from slidecaf.classification.folds import assign_folds, check_inner_folds
from slidecaf.classification.kinds import Learned, Training
from slidecaf.classification.mcil.model import MCIL, bag_decision
from slidecaf.errors import SlidecafError
from slidecaf.logs import logger

SOURCE = Bags

VALUE_BYTES = 8
"""Memory of a value while a model is fitted: as stored and those of an inner fold, 16 bit, and standardised, 32 bit."""


def fit(training: Training) -> Learned:
    """Fit MCIL to all valid patches of the training slides, which lie in memory together.

    Parameters
    ----------
    training : Training
        Its settings are a `slidecaf.study.config.ClassificationMcil`.

    Returns
    -------
    Learned
        A feature counts by the steps of the weak classifiers that use it.

    Raises
    ------
    SlidecafError
        If the patches would take more than the config's memory, the rarest class has one patient and the threshold is
        to be chosen, or as `MCIL.fit`.
    """
    settings, source = training.settings, training.source
    (features,) = settings.features
    count = sum(source.patches[features, slide] for slide in training.slides)
    dimension = source.dimension(features, training.slides[0])
    needed = count * dimension * VALUE_BYTES / 2**30
    if needed > training.memory:
        raise SlidecafError(
            f"{training.method}: {count} patches of {len(training.slides)} training slides with {dimension} values "
            f"each take {needed:.1f} GiB, and memory is {training.memory:g}; raise memory in the config, or name a "
            "feature set with fewer patches (a larger stride, white_above, tissue: otsu)."
        )
    vectors, offsets = source.matrix(features, training.slides)
    positive = np.array([label == training.classes[1] for label in training.labels])
    given = {key: getattr(settings, key) for key in ("rounds", "exponent")}

    def fitted_to(vectors, offsets, positive):
        return MCIL(settings.clusters, **given).fit(vectors, offsets, positive, threads=training.threads)

    threshold, choice, inner = settings.threshold, {}, None
    if threshold == "inner":
        threshold, choice, inner = _inner_threshold(training, vectors, offsets, positive, fitted_to)
    model = fitted_to(vectors, offsets, positive)
    trace = model.log_likelihood_
    logger.info(
        "%d patches of %d slides; log likelihood %.4g, after %d rounds %.4g; threshold %.4g",
        *(count, len(training.slides), trace[0], len(trace) - 1, trace[-1], threshold),
    )
    weights = {}
    for feature, step in zip(model.feature_.ravel().tolist(), model.step_.ravel(), strict=True):
        if step > 0:
            weights[feature] = weights.get(feature, 0.0) + step
    chosen = {"features": features, "clusters": settings.clusters, **given, "threshold": threshold}
    if choice:
        judged = {key: choice[key] for key in ("correct", "accuracy")}
        choice = {"chosen": chosen, **choice, "candidates": [chosen | judged], "dropped": []}
    return Learned(
        chosen=chosen,
        model={**model.to_dict(), "threshold": threshold},
        weights=dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))),
        choice=choice,
        inner=inner,
    )


def _inner_threshold(training, vectors, offsets, positive, fitted_to):
    """Return the threshold of the log odds of slides that inner models did not see, and what ``choice.json`` says.

    The third are these log odds less the threshold.
    """
    labels, patients, wanted = training.labels, training.patients, training.inner_folds
    then = " the threshold; write threshold: 0"
    count = check_inner_folds(labels, patients, wanted, method=training.method, then=then)
    folds = assign_folds(labels, patients, count, seed=training.seed)
    found = np.empty(len(positive))
    for fold in range(count):
        learned, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = fitted_to(*_bags(vectors, offsets, learned), positive[learned])
        found[held] = model.decision_function(*_bags(vectors, offsets, held))
    threshold = best_threshold(found, positive)
    correct = int(np.count_nonzero((found > threshold) == positive))
    of = "" if count == wanted else f" instead of {wanted}, which the patients do not allow"
    said = {
        "n": len(positive),
        "correct": correct,
        "accuracy": correct / len(positive),
        "inner_folds": count,
        "inner_folds_wanted": wanted,
        "note": f"The threshold was chosen by cross-validation in {count} folds{of}, inside the training rows.",
    }
    return threshold, said, found - threshold


def _bags(vectors, offsets, chosen):
    """Return the vectors of some bags, and where each begins."""
    parts = [vectors[offsets[bag] : offsets[bag + 1]] for bag in chosen]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


def best_threshold(confidence, positive) -> float:
    """Return the threshold above which most slides are positive and at or below which most are not.

    Parameters
    ----------
    confidence : array_like of float, shape (n,)
    positive : array_like of bool, shape (n,)

    Returns
    -------
    float
        Of all with the best accuracy 0 if it is among them, else the one nearest to 0 of those that lie in the middle
        between two neighbouring confidences (or 1 beyond the outermost).

    Examples
    --------
    >>> best_threshold([1.0, 2.0, 4.0, 5.0], [False, False, True, True])
    3.0
    >>> best_threshold([-1.0, 1.0], [False, True])
    0.0
    """
    confidence, positive = np.asarray(confidence, float), np.asarray(positive, bool)
    values = np.unique(confidence)
    middle = (values[:-1] + values[1:]) / 2
    tried = np.concatenate([[0.0], middle, [values[0] - 1, values[-1] + 1]])
    right = np.array([np.count_nonzero((confidence > one) == positive) for one in tried])
    best = tried[right == right.max()]
    return float(min(best, key=lambda one: (abs(one), one)))


def decide(model, source: Bags, slides) -> np.ndarray:
    """Return the slides' log odds of the positive class less the threshold, read some patches at a time.

    Parameters
    ----------
    model : dict
        ``model.json``.
    source : Bags
    slides : sequence of str, n of them

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    SlidecafError
        If the model or a file is damaged.
    """
    fitted, features, threshold = MCIL.from_dict(model), model["features"], threshold_of(model)
    found = []
    for slide in slides:
        scores = np.concatenate([fitted.instance_scores(block) for block in source.blocks(features, slide)])
        found += bag_decision(scores, [0, len(scores)], exponent=fitted.exponent).tolist()
    return np.array(found) - threshold


def patch_scores(model, vectors) -> tuple[np.ndarray, np.ndarray]:
    """Return the log odds less the threshold, and the clusters, of patches.

    Parameters
    ----------
    model : dict
        ``model.json``.
    vectors : ndarray, shape (n, D)

    Returns
    -------
    score : ndarray of float64, shape (n,)
        Positive speaks for the positive class: a slide of such patches alone would be positive.
    cluster : ndarray of int, shape (n,)
        From 0. It means something where the score is positive.

    Raises
    ------
    SlidecafError
        If the model is damaged.
    """
    fitted = MCIL.from_dict(model)
    scores = fitted.instance_scores(vectors)
    odds = bag_decision(scores, np.arange(len(scores) + 1), exponent=fitted.exponent)
    return odds - threshold_of(model), scores.argmax(axis=1)


def threshold_of(model) -> float:
    """Return the threshold that a model was given.

    Parameters
    ----------
    model : dict
        ``model.json``.

    Returns
    -------
    float

    Raises
    ------
    SlidecafError
        If the model has none.
    """
    if not isinstance(model.get("threshold"), int | float):
        raise SlidecafError("the model is damaged: it has no threshold; delete it and run again.")
    return float(model["threshold"])

"""Kind ``mcil``: slides are bags of patches, of which `slidecaf.classification.mcil.model.MCIL` learns.

What each of its functions is for stands in `slidecaf.classification.kinds`. A slide's confidence is its log odds.
"""

import numpy as np

from slidecaf.classification.bags import Bags
from slidecaf.classification.kinds import Learned, Training
from slidecaf.classification.mcil.model import MCIL, bag_decision
from slidecaf.errors import SlidecafError
from slidecaf.logs import logger

SOURCE = Bags

VALUE_BYTES = 6
"""Memory of a value while a model is fitted: as stored, 16 bit, and standardised, 32 bit."""


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
        If the patches would take more than the config's memory, or as `MCIL.fit`.
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
    positive = [label == training.classes[1] for label in training.labels]
    given = {key: getattr(settings, key) for key in ("rounds", "exponent")}
    model = MCIL(settings.clusters, **given).fit(vectors, offsets, positive, threads=training.threads)
    trace = model.log_likelihood_
    logger.info(
        "%d patches of %d slides; log likelihood %.4g, after %d rounds %.4g",
        *(count, len(training.slides), trace[0], len(trace) - 1, trace[-1]),
    )
    weights = {}
    for feature, step in zip(model.feature_.ravel().tolist(), model.step_.ravel(), strict=True):
        if step > 0:
            weights[feature] = weights.get(feature, 0.0) + step
    return Learned(
        chosen={"features": features, "clusters": settings.clusters, **given},
        model=model.to_dict(),
        weights=dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))),
    )


def decide(model, source: Bags, slides) -> np.ndarray:
    """Return the slides' log odds of the positive class, read some patches at a time.

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
    fitted, features = MCIL.from_dict(model), model["features"]
    found = []
    for slide in slides:
        scores = np.concatenate([fitted.instance_scores(block) for block in source.blocks(features, slide)])
        found += bag_decision(scores, [0, len(scores)], exponent=fitted.exponent).tolist()
    return np.array(found)


def patch_scores(model, vectors) -> tuple[np.ndarray, np.ndarray]:
    """Return the log odds and the clusters of patches.

    Parameters
    ----------
    model : dict
        ``model.json``.
    vectors : ndarray, shape (n, D)

    Returns
    -------
    score : ndarray of float64, shape (n,)
        Positive speaks for the positive class.
    cluster : ndarray of int, shape (n,)
        From 0. It means something where the score is positive.

    Raises
    ------
    SlidecafError
        If the model is damaged.
    """
    fitted = MCIL.from_dict(model)
    scores = fitted.instance_scores(vectors)
    return bag_decision(scores, np.arange(len(scores) + 1), exponent=fitted.exponent), scores.argmax(axis=1)

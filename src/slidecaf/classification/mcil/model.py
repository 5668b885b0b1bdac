"""Multiple clustered instance learning (MCIL): bags of instances to a class, an instance score and clusters.

Slides are bags, and their patches are instances. Only bags have labels. K boosted classifiers, one a cluster of
positive instances, share one likelihood: a bag is positive where some instance is positive in some cluster. With one
cluster this is MIL-Boost.

Source: Xu, Zhu, Chang, Lai and Tu, "Weakly supervised histopathology cancer image segmentation and classification",
Medical Image Analysis 18 (2014). Its text was not at hand: this follows public descriptions of it and its authors'
scripts, Viola, Platt and Zhang's MIL-Boost (2005) and Friedman's gradient boosting. docs/decisions.md has its readings.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.errors import SlidecafError

LIMIT = 5.0
"""Log odds beyond which a weak classifier says no more: a far outlier must not decide alone."""
LEAST_DEVIATION = 0.01
"""Of a Gaussian, as a share of the feature's deviation over all training instances."""
STEPS = 2.0 ** np.arange(-8, 1.25, 0.5)
"""Where the line search looks first. The last is its limit: a round moves log odds by `LIMIT` times 2 at most."""
SECTIONS = 12
"""Golden sections of the line search around the best of `STEPS`: the step is then known to 1 %."""
CERTAIN = 1e-12
"""Least distance of a bag's log probability from 0, so that one bag in the wrong cannot be worth infinity."""
NEGLIGIBLE = -60.0
"""Log of an instance's share in its bag below which it counts as this: numbers too small are slow and say nothing."""
FITTED = ("feature", "mean", "deviation", "prior", "step", "log_likelihood")
"""What a fitted model is kept by."""
FEATURES, INSTANCES, ROWS = 8, 16_384, 4096
"""A block of the search is 8 features of 16,384 instances, 512 KiB; a matrix is read 4096 rows at a time."""


class MCIL:
    """Boosted Gaussian classifiers of bags, one sum of them a cluster.

    h_k(x), cluster k's log odds of instance x, is a sum of weak classifiers times steps, p = 1 / (1 + exp(-h)).
    A bag's probability is the generalised mean of p over its m instances and the K clusters,
    (1 / (m K) sum p^r)^(1 / r), with exponent r. Each round, for each cluster in turn, fits the weak classifier to the
    gradient of the bags' log likelihood (`instance_weights`), and takes the step along it that makes the likelihood
    largest. Later clusters of a round see what earlier ones explain, which makes them differ. Nothing is drawn at
    random.

    A weak classifier looks at one feature. It has two Gaussians, of the instances that the gradient pulls up and down,
    with the gradient as weight, and says the log of their ratio, the classes' weights as prior, at most `LIMIT` in
    size. The feature is the one whose sign follows the gradient best.

    Parameters
    ----------
    clusters : int, optional
        K, 1 or more.
    rounds : int, optional
        1 or more; fewer are made where no further step raises the likelihood.
    exponent : float, optional
        r, above 0: 1 is the mean, large values are nearly the maximum.

    Raises
    ------
    SlidecafError
        If one is out of its range.

    Attributes
    ----------
    feature_ : ndarray of int of shape (T, K)
        Of the weak classifier of each of the T rounds made and each cluster.
    mean_, deviation_ : ndarray of float64 of shape (T, K, 2)
        Of the Gaussian of the instances that are pulled down, and of those that are pulled up, in the feature's units.
    prior_ : ndarray of float64 of shape (T, K)
        Log of the weight pulled up over the weight pulled down.
    step_ : ndarray of float64 of shape (T, K)
        0 or above; 0 where no step raised the likelihood.
    log_likelihood_ : ndarray of float64 of shape (T + 1,)
        Of the training bags, in nats, before the first round and after each. It never falls.
    n_features_in_ : int

    Examples
    --------
    >>> bags = np.array([[0.1], [0.2], [0.0], [0.1], [0.2], [2.9], [0.0], [3.1]])
    >>> model = MCIL(rounds=5).fit(bags, [0, 2, 4, 6, 8], [False, False, True, True])
    >>> model.decision_function(bags, [0, 2, 4, 6, 8]) > 0
    array([False, False,  True,  True])
    >>> model.instance_decision(bags) > 0
    array([False, False, False, False, False,  True, False,  True])
    """

    def __init__(self, clusters=1, *, rounds=150, exponent=20.0):
        for name, value, least in (("clusters", clusters, 1), ("rounds", rounds, 1)):
            if value < least:
                raise SlidecafError(f"{name}: {value} is below {least}; set {name} to {least} or more.")
        if not (exponent > 0 and np.isfinite(exponent)):
            raise SlidecafError(f"exponent: {exponent} is not above 0; set it to 20, or another number above 0.")
        self.clusters, self.rounds, self.exponent = clusters, rounds, exponent

    def fit(self, features, offsets, labels, *, threads=1) -> "MCIL":
        """Fit to training bags.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            All bags' instances, one bag after another; float16 and float32 are read as they are. A standardised copy
            in float32 is made.
        offsets : sequence of int, B + 1 of them
            Bag i has the rows ``offsets[i]`` to ``offsets[i + 1]``.
        labels : sequence of bool, B of them
            Whether the bag is positive.
        threads : int, optional
            That search for weak classifiers. The model does not depend on it.

        Returns
        -------
        MCIL
            Itself.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, a bag has no instance, a class no bag, or no feature varies; or if the sizes
            do not agree.
        """
        features = _matrix(features)
        offsets, labels = _offsets(offsets, len(features)), np.asarray(labels, dtype=bool)
        if labels.shape != (len(offsets) - 1,):
            raise SlidecafError(f"{labels.size} labels for {len(offsets) - 1} bags; give one label a bag.")
        for value, name in ((True, "positive"), (False, "negative")):
            if value not in labels:
                raise SlidecafError(f"no training bag is {name}; add one, for a class without bags cannot be learnt.")
        scores = np.zeros((len(features), self.clusters))
        trace, found = [log_likelihood(scores, offsets, labels, exponent=self.exponent)], []
        with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            search = _Search(features, pool)
            for _ in range(self.rounds):
                found.append([self._boost(search, features, offsets, labels, scores, k) for k in range(self.clusters)])
                trace.append(log_likelihood(scores, offsets, labels, exponent=self.exponent))
                if not any(step for *_, step in found[-1]):
                    # The next round would see the same gradient.
                    break
        self.n_features_in_ = features.shape[1]
        # feature, mean, deviation, prior and step, each of all rounds and clusters
        columns = [np.array([[weak[j] for weak in row] for row in found]) for j in range(5)]
        self.feature_, self.mean_, self.deviation_, self.prior_, self.step_ = columns
        self.log_likelihood_ = np.array(trace)
        return self

    def _boost(self, search, features, offsets, labels, scores, k):
        """Add a weak classifier to column k of the scores, and return it with its step."""
        weights = instance_weights(scores, offsets, labels, exponent=self.exponent)[:, k]
        up, down = weights.clip(min=0), (-weights).clip(min=0)
        # A gradient that points one way only: all bags of a class are certain.
        if not (up.sum() > CERTAIN and down.sum() > CERTAIN):
            return 0, np.zeros(2), np.ones(2), 0.0, 0.0
        feature = search.best(up, down)
        weak = search.gaussians(features[:, feature], feature, up, down)
        answer = weak_decision(features[:, feature], *weak)
        step = _line_search(scores, answer, k, offsets, labels, exponent=self.exponent)
        scores[:, k] += step * answer
        return feature, *weak, step

    def decision_function(self, features, offsets) -> np.ndarray:
        """Return the bags' log odds.

        Parameters
        ----------
        features : ndarray of shape (n, D)
        offsets : sequence of int, B + 1 of them

        Returns
        -------
        ndarray of float64 of shape (B,)
            log(p / (1 - p)); positive means the positive class, and 0 is a probability of one half.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, the number of values is not that of the fit, or a bag has no instance.
        """
        return bag_decision(self.instance_scores(features), offsets, exponent=self.exponent)

    def instance_probability(self, features) -> np.ndarray:
        """Return each instance's probability of each cluster.

        Parameters
        ----------
        features : ndarray of shape (n, D)

        Returns
        -------
        ndarray of float64 of shape (n, K)
            0 to 1, each cluster by itself: a row need not sum to 1.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, or the number of values is not that of the fit.
        """
        return np.exp(_log_sigmoid(self.instance_scores(features)))

    def instance_decision(self, features) -> np.ndarray:
        """Return the instances' log odds: those of the generalised mean over the clusters.

        Parameters
        ----------
        features : ndarray of shape (n, D)

        Returns
        -------
        ndarray of float64 of shape (n,)
            Positive means a positive instance.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, or the number of values is not that of the fit.
        """
        return self.decision_function(features, np.arange(len(features) + 1))

    def membership(self, features) -> np.ndarray:
        """Return the cluster of which each instance has the largest probability.

        Parameters
        ----------
        features : ndarray of shape (n, D)

        Returns
        -------
        ndarray of int of shape (n,)
            0 to K - 1, the first of equal ones. It means something for positive instances only.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, or the number of values is not that of the fit.
        """
        return self.instance_scores(features).argmax(axis=1)

    def instance_scores(self, features) -> np.ndarray:
        """Return each instance's log odds of each cluster, of which all else follows. Rows do not depend on each other.

        Parameters
        ----------
        features : ndarray of shape (n, D)

        Returns
        -------
        ndarray of float64 of shape (n, K)
            h.

        Raises
        ------
        SlidecafError
            If a value is NaN or infinite, or the number of values is not that of the fit.
        """
        features = _matrix(features)
        if features.shape[1] != self.n_features_in_:
            raise SlidecafError(
                f"{features.shape[1]} values an instance, and the model was fitted to {self.n_features_in_}; "
                "use the feature set of the fit."
            )
        scores = np.zeros((len(features), self.feature_.shape[1]))
        for t, k in np.argwhere(self.step_ > 0):
            weak = self.mean_[t, k], self.deviation_[t, k], self.prior_[t, k]
            scores[:, k] += self.step_[t, k] * weak_decision(features[:, self.feature_[t, k]], *weak)
        return scores

    def to_dict(self) -> dict:
        """Return the model as JSON can hold it: every float reads back to the same number.

        Returns
        -------
        dict
        """
        fitted = {name: getattr(self, f"{name}_").tolist() for name in FITTED}
        return {"exponent": self.exponent, "dimension": self.n_features_in_, **fitted}

    @classmethod
    def from_dict(cls, stored) -> "MCIL":
        """Return the model that `to_dict` stored.

        Parameters
        ----------
        stored : dict

        Returns
        -------
        MCIL

        Raises
        ------
        SlidecafError
            If an entry is missing or the sizes do not agree: the file is damaged.
        """
        try:
            fitted = {name: np.array(stored[name], dtype=int if name == "feature" else float) for name in FITTED}
            rounds, clusters = fitted["feature"].shape
            model = cls(clusters, rounds=rounds, exponent=stored["exponent"])
            model.n_features_in_ = stored["dimension"]
            for name, values in fitted.items():
                if name != "log_likelihood" and values.shape[:2] != (rounds, clusters):
                    raise ValueError(f"{name} has the shape {values.shape}")
                setattr(model, f"{name}_", values)
        except (KeyError, TypeError, ValueError) as error:
            raise SlidecafError(f"the model is damaged ({error!r}); delete its file and run again.") from error
        return model


def bag_decision(scores, offsets, *, exponent) -> np.ndarray:
    """Return the log odds of bags: of the generalised mean of their instances' probabilities.

    Parameters
    ----------
    scores : ndarray of shape (n, K)
        Log odds of instances in clusters.
    offsets : sequence of int, B + 1 of them
    exponent : float

    Returns
    -------
    ndarray of float64 of shape (B,)

    Raises
    ------
    SlidecafError
        If a bag has no instance, or there is no bag.
    """
    log_p, log_not = _bags(scores, _offsets(offsets, len(scores)), exponent)[:2]
    return log_p - log_not


def weak_decision(values, mean, deviation, prior) -> np.ndarray:
    """Return what a weak classifier says: the log odds of two Gaussians, at most `LIMIT` in size.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Of its feature.
    mean, deviation : sequence of two floats
        Of the negative and of the positive Gaussian; deviations above 0.
    prior : float
        Log odds before the value is known.

    Returns
    -------
    ndarray of float64 of shape (n,)
    """
    values = values.astype(np.float64)
    negative, positive = (
        -0.5 * ((values - centre) / spread) ** 2 - np.log(spread)
        for centre, spread in zip(mean, deviation, strict=True)
    )
    return np.clip(prior + positive - negative, -LIMIT, LIMIT)


def log_likelihood(scores, offsets, labels, *, exponent) -> float:
    """Return the bags' log likelihood (every bag of weight 1).

    Parameters
    ----------
    scores : ndarray of shape (n, K)
        Log odds of instances in clusters.
    offsets : ndarray of int of shape (B + 1,)
    labels : ndarray of bool of shape (B,)
    exponent : float

    Returns
    -------
    float
        In nats, at most 0.
    """
    log_p, log_not, _ = _bags(scores, offsets, exponent)
    return float(np.where(labels, log_p, log_not).sum())


def instance_weights(scores, offsets, labels, *, exponent) -> np.ndarray:
    """Return the gradient of `log_likelihood` by the scores (boosting's weights of the instances).

    With s the share of p^r in the bag's sum, it is s (1 - p) in a positive bag of probability P, and that times
    -P / (1 - P) in a negative one.

    Parameters
    ----------
    scores, offsets, labels, exponent
        As for `log_likelihood`.

    Returns
    -------
    ndarray of float64 of shape (n, K)
        Above 0 in positive bags, below in negative ones.
    """
    log_p, log_not, log_share = _bags(scores, offsets, exponent)
    bag = np.where(labels, 1.0, -np.exp(log_p - log_not))
    return np.repeat(bag, np.diff(offsets))[:, None] * np.exp(log_share + _log_sigmoid(-scores))


def _bags(scores, offsets, exponent):
    """Return log p and log(1 - p) of each bag, and the log of each instance's share in the generalised mean."""
    powers = exponent * _log_sigmoid(scores)
    size, total = np.diff(offsets), _log_sums(powers, offsets)
    log_p = np.minimum((total - np.log(size * powers.shape[1])) / exponent, -CERTAIN)
    share = np.maximum(powers - np.repeat(total, size)[:, None], NEGLIGIBLE)
    return log_p, np.log(-np.expm1(log_p)), share


def _log_sums(powers, offsets):
    """Return, of each bag, the log of the sum of exp(powers) over its instances and all columns."""
    largest = np.maximum.reduceat(powers.max(axis=1), offsets[:-1])
    terms = np.exp(np.maximum(powers - np.repeat(largest, np.diff(offsets))[:, None], NEGLIGIBLE))
    return largest + np.log(np.add.reduceat(terms.sum(axis=1), offsets[:-1]))


def _log_sigmoid(scores):
    """Return log(1 / (1 + exp(-scores))), exact at either end."""
    return np.minimum(scores, 0) - np.log1p(np.exp(-np.abs(scores)))


def _line_search(scores, answer, k, offsets, labels, *, exponent):
    """Return the step along `answer` in column k that makes the likelihood largest, or 0 where none raises it."""
    others = np.delete(scores, k, axis=1)
    rest = _log_sums(exponent * _log_sigmoid(others), offsets) if others.shape[1] else np.full(len(labels), -np.inf)
    log_size = np.log(np.diff(offsets) * scores.shape[1])

    def value(step):
        own = _log_sums(exponent * _log_sigmoid(scores[:, k] + step * answer)[:, None], offsets)
        log_p = np.minimum((np.logaddexp(rest, own) - log_size) / exponent, -CERTAIN)
        return np.where(labels, log_p, np.log(-np.expm1(log_p))).sum()

    steps = [0.0, *STEPS]
    values = [value(step) for step in steps]
    best = int(np.argmax(values))
    low, high = steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)]
    found = _golden_section(value, low, high)
    # The likelihood need not have one peak.
    return found if value(found) > values[best] else steps[best]


def _golden_section(value, low, high):
    """Return where a function of one peak between two numbers has it, nearly."""
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = value(left), value(right)
    for _ in range(SECTIONS):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = value(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = value(right)
    return float((low + high) / 2)


class _Search:
    """The features, standardised and one a row, and the search through all of them for a weak classifier.

    Moments are matrix products in float32, summed in float64 over blocks that stay in the cache. Blocks are the same
    for any number of threads, and so is the outcome.
    """

    def __init__(self, features, pool):
        self.pool = pool
        n = len(features)
        blocks = [slice(start, start + ROWS) for start in range(0, n, ROWS)]
        mean = sum(features[rows].sum(axis=0, dtype=np.float64) for rows in blocks) / n
        square = sum(((features[rows] - mean) ** 2).sum(axis=0) for rows in blocks) / n
        self.deviation = np.sqrt(square)
        # Below this a feature differs by rounding alone.
        self.constant = self.deviation <= 1e-7 * np.abs(mean)
        if self.constant.all():
            raise SlidecafError("no feature varies over the training bags; use another feature set.")
        scale = np.where(self.constant, 0, 1 / np.where(self.constant, 1, self.deviation))
        self.rows = np.empty(features.shape[::-1], dtype=np.float32)
        for rows in blocks:
            self.rows[:, rows] = ((features[rows] - mean) * scale).T

    def best(self, up, down):
        """Return the feature whose Gaussians' sign follows the weights best; the first of equal ones."""
        shares = np.stack([down / down.sum(), up / up.sum()], axis=1).astype(np.float32)
        prior = np.log(up.sum() / down.sum())
        weights = ((up - down) / (up + down).sum()).astype(np.float32)
        starts = range(0, len(self.rows), FEATURES)
        gains = self.pool.map(partial(self._gains, shares=shares, prior=prior, weights=weights), starts)
        return int(np.argmax(np.where(self.constant, -np.inf, np.concatenate(list(gains)))))

    def _gains(self, start, *, shares, prior, weights):
        """Return the sum of weights that a weak classifier of each feature of a block takes for positive."""
        block = self.rows[start : start + FEATURES]
        parts = [slice(first, first + INSTANCES) for first in range(0, len(weights), INSTANCES)]
        mean, square = np.zeros((2, len(block), 2))
        scratch = np.empty((len(block), INSTANCES), dtype=np.float32)
        for part in parts:
            values = block[:, part]
            work = scratch[:, : values.shape[1]]
            mean += values @ shares[part]
            square += np.multiply(values, values, out=work) @ shares[part]
        variance = np.maximum(square - mean**2, LEAST_DEVIATION**2)
        # The log of the ratio of two Gaussians is a parabola, constant + linear x + quadratic x^2.
        quadratic = (0.5 / variance[:, 0] - 0.5 / variance[:, 1])[:, None].astype(np.float32)
        linear = (mean[:, 1] / variance[:, 1] - mean[:, 0] / variance[:, 0])[:, None].astype(np.float32)
        constant = prior + 0.5 * (mean[:, 0] ** 2 / variance[:, 0] - mean[:, 1] ** 2 / variance[:, 1])
        constant = (constant + 0.5 * np.log(variance[:, 0] / variance[:, 1]))[:, None].astype(np.float32)
        gain = np.zeros(len(block))
        for part in parts:
            values = block[:, part]
            work = scratch[:, : values.shape[1]]
            np.multiply(values, quadratic, out=work)
            work += linear
            work *= values
            gain += np.greater(work, -constant).astype(np.float32) @ weights[part]
        return gain

    def gaussians(self, values, feature, up, down):
        """Return means, deviations and the prior of a feature's weak classifier, in its own units and in float64."""
        values = values.astype(np.float64)
        weights = np.stack([down / down.sum(), up / up.sum()])
        mean = (weights * values).sum(axis=1)
        spread = np.sqrt((weights * (values - mean[:, None]) ** 2).sum(axis=1))
        spread = np.maximum(spread, LEAST_DEVIATION * self.deviation[feature])
        return mean, spread, float(np.log(up.sum() / down.sum()))


def _matrix(features):
    """Return instances as a matrix whose every value is a finite number."""
    features = np.asarray(features)
    if features.ndim != 2 or features.dtype.kind not in "fiub":
        raise SlidecafError("the instances are no matrix of numbers; give one row an instance.")
    if features.dtype.kind != "f":
        features = features.astype(np.float64)
    for start in range(0, len(features), ROWS):
        bad = np.flatnonzero(~np.isfinite(features[start : start + ROWS]).all(axis=1))
        if len(bad):
            raise SlidecafError(f"instance {start + bad[0]} has a value that is NaN or infinite; compute it again.")
    return features


def _offsets(offsets, instances):
    """Return the bags' limits, which must be those of so many instances."""
    offsets = np.asarray(offsets, dtype=np.int64)
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != instances:
        raise SlidecafError(f"the offsets of the bags do not run from 0 to the {instances} instances; mend them.")
    empty = np.flatnonzero(np.diff(offsets) <= 0)
    if len(empty):
        raise SlidecafError(f"bag {empty[0]} has no instance; leave it out.")
    return offsets

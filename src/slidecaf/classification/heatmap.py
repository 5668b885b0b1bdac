"""Which patches speak for a diagnosis: a decision, shared out exactly among a slide's patches.

Of a linear SVM it is the decision value; `slidecaf.classification.network_heatmap` shares out what networks decide by.
Files of both have one form, and one reader.

A pooled feature is f = (1/N Σ vᵖ)^(1/p) of the N patches' values v ≥ 0, so that w f = Σ w f^(1−p) vᵖ / N: patch i adds
w f (v_i / f)ᵖ / N. Over patches and features that sums to the decision value without the intercept. Of the maximum,
p = inf, w f is shared equally among the patches that have it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slidecaf.classification.folds import judging_part
from slidecaf.classification.svm import REST, LinearSVM, predicted_classes
from slidecaf.features.file import one_output, open_features
from slidecaf.files.hdf5 import CHUNK_ROWS, create_hdf5, open_hdf5, put_array
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.pooling.file import read_pooled
from slidecaf.pooling.norms import norm_name, parse_norm
from slidecaf.study.names import split_output
from slidecaf.tiles.file import put_coords

DECISION_VALUE, PROBABILITY = "decision value", "probability"
"""What is shared out among patches: files say it as the attribute ``of``, and those of SVMs, the first, not at all."""


def contributions(blocks: Callable[[], Iterable], pooled, coef, *, norm: float) -> np.ndarray:
    """Share a decision value out among a slide's patches.

    Parameters
    ----------
    blocks : callable
        Gives the patches' features block by block, ndarray of shape (n, d), those that the SVM sees in its order. With
        the maximum it is called twice.
    pooled : array_like of float64, shape (d,)
        The pooled features of these very patches.
    coef : array_like of float64, shape (d,)
        The SVM's weights.
    norm : float
        Of the pooling; `math.inf` for the maximum. With 1, features may be negative.

    Returns
    -------
    ndarray of float64, shape (N,)
        What each patch adds: their sum is ``coef @ pooled``, to rounding.

    Examples
    --------
    >>> patches = np.array([[1.0, 0.0], [3.0, 2.0]])
    >>> f = np.sqrt((patches**2).mean(axis=0))
    >>> shares = contributions(lambda: [patches], f, [1.0, -1.0], norm=2)
    >>> bool(np.isclose(shares.sum(), f[0] - f[1]))
    True
    """
    pooled, coef = np.asarray(pooled, np.float64), np.asarray(coef, np.float64)
    if norm == math.inf:
        holders = sum(((block == pooled).sum(axis=0) for block in blocks()), start=np.zeros(len(pooled)))
        each = coef * pooled / np.maximum(holders, 1)
        return np.concatenate([(block == pooled) @ each for block in blocks()])
    if norm == 1:
        found = np.concatenate([np.asarray(block, np.float64) @ coef for block in blocks()])
        return found / len(found)
    seen = pooled > 0  # a feature that no patch has adds nothing
    weight = coef[seen] * pooled[seen]
    found = np.concatenate(
        [(np.asarray(block, np.float64)[:, seen] / pooled[seen]) ** norm @ weight for block in blocks()]
    )
    return found / len(found)


def asked(model: LinearSVM, pooled) -> tuple[str, str, np.ndarray, float]:
    """Return what a heat map shows of a slide: two classes, and the SVM that tells them apart.

    Parameters
    ----------
    model : slidecaf.classification.svm.LinearSVM
    pooled : ndarray of float64, shape (d,)
        The slide's, of the selected features.

    Returns
    -------
    against, speaks_for : str
        Two classes: negative and positive. More: the next class and the predicted one; against the rest, an empty text
        and the predicted one.
    coef : ndarray of float64, shape (d,)
    intercept : float
        A positive value of ``coef @ pooled + intercept`` speaks for the second.
    """
    classes = list(model.classes)
    if len(classes) == 2:
        return *classes, model.coef[0], float(model.intercept[0])
    confidence = model.decision(pooled[None])
    best = str(predicted_classes(confidence, classes)[0])
    if (REST, best) in model.pairs:
        place = model.pairs.index((REST, best))
        return REST, best, model.coef[place], float(model.intercept[place])
    confidence[0, classes.index(best)] = -np.inf
    runner_up = classes[int(confidence[0].argmax())]
    turned = classes.index(runner_up) > classes.index(best)
    place = model.pairs.index((best, runner_up) if turned else (runner_up, best))
    sign = -1 if turned else 1
    return runner_up, best, sign * model.coef[place], sign * float(model.intercept[place])


def write_heatmaps(
    manifest, slides: Mapping[str, Mapping], settings: Mapping, *, features, pooled, folds, models: Mapping
) -> None:
    """Share the decision values of some slides out among their patches, each by the model that never saw its slide.

    Each slide's file has ``coords``, as its features file has them, and ``contribution`` (float64, NaN of a patch that
    is not valid). Attributes of ``contribution`` are intercept, confidence (their sum with it), and the classes against
    and speaks_for, as `asked` gives them. A slide without a patch has neither sum nor classes.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``revision`` and ``versions``.
    features, pooled : sequence of path-like
        The manifests of the batch's features and pooled vectors, one for each feature set that the method may have
        chosen.
    folds : path-like
        The table of folds, as for `slidecaf.classification.patches.score_patches`.
    models : mapping of str to path-like
        Part to ``model.json``, of the parts that these slides need at least.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file is damaged.
    """
    folder = Path(manifest).parent
    part_of = judging_part(read_tsv(folds))
    of_features, of_pooled = ({Path(p).parent.name: slide_files([p]) for p in paths} for paths in (features, pooled))
    stored = {part: read_json(path) for part, path in models.items()}
    of_model = {part: file_of(path) for part, path in models.items()}

    def read_from(of, slide):
        return of[split_output(stored[part_of(slide)]["features"])[0]][slide]

    def work(slide, files, origin):
        model, said = stored[part_of(slide)], {}
        with open_features(read_from(of_features, slide).path) as file:
            coords, attributes, valid = file["coords"][:], dict(file["coords"].attrs), file["valid"][:]
            found = np.full(len(coords), np.nan)
            if valid.any():
                found[valid], said = _shared_out(model, file, valid, read_from(of_pooled, slide).path)
        put_heatmap(files["heatmap"], coords, attributes, found, said, origin=origin)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"heatmap": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {
            "features": read_from(of_features, slide),
            "pooled": read_from(of_pooled, slide),
            "model": of_model[part_of(slide)],
        },
    )


def put_heatmap(path, coords, attributes: Mapping, contribution, said: Mapping, *, origin: Mapping) -> None:
    """Write a slide's heat map.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    attributes : mapping
        Of the coordinates, as in the features file or the tiles file.
    contribution : ndarray of float64, shape (N,)
        NaN of a patch that is not valid.
    said : mapping
        Attributes of the contributions, as `HeatMap` describes them; empty where no patch is valid.
    origin : mapping
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        put_coords(file, coords, attributes)
        put_array(file, "contribution", contribution)
        file["contribution"].attrs.update(said)


def _shared_out(model, file, valid, pooled):
    """Return what each valid patch adds, and what the file says of all."""
    output, norm = split_output(model["features"])[1], parse_norm(model["norm"])
    vectors, _, _ = read_pooled(pooled, [norm_name(norm)], output=output)
    vector = vectors[norm_name(norm)][model["selection"]]
    against, speaks_for, coef, intercept = asked(LinearSVM.from_dict(model), vector)
    stored = one_output(file, output)

    def blocks():
        for start in range(0, len(valid), CHUNK_ROWS):
            yield stored[start : start + CHUNK_ROWS][valid[start : start + CHUNK_ROWS]][:, model["selection"]]

    said = {"intercept": intercept, "confidence": float(coef @ vector) + intercept}
    return contributions(blocks, vector, coef, norm=norm), {**said, "against": against, "speaks_for": speaks_for}


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What the valid patches of a slide add to its decision.

    Attributes
    ----------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    contribution : ndarray of float64, shape (N,)
        Their sum and the intercept are the confidence.
    attributes : dict
        Of the coordinates, as in the features file, and of the contributions: ``intercept``, ``confidence``, the
        classes ``against`` and ``speaks_for``, and ``of``, as the property; none of these where the slide has no patch.
    """

    coords: np.ndarray
    contribution: np.ndarray
    attributes: dict

    @property
    def of(self) -> str:
        """What is shared out: ``decision value`` of an SVM, or ``probability``, two classes' difference of it."""
        return str(self.attributes.get("of", DECISION_VALUE))

    @property
    def size(self) -> int:
        """The side of a patch in px of level 0; 1 where the slide has no patch."""
        return int(self.attributes.get("patch_size_level0", 1))

    @property
    def patch_confidence(self) -> np.ndarray:
        """Each patch's own confidence, ndarray of float64, shape (N,): their mean is exactly the slide's.

        It is N times what the patch adds, and the intercept, so that 0 is the border between the classes whatever the
        intercept is, and slides of few and of many patches share a scale. With norm 1 it is what the SVM says of the
        patch alone, and of probabilities always what the network does.
        """
        return len(self.contribution) * self.contribution + self.attributes.get("intercept", 0.0)

    def speaking(self, count: int, *, against: bool = False) -> list[int]:
        """Return the patches that speak most for a class, none of which overlaps another.

        Parameters
        ----------
        count : int
            Patches at most.
        against : bool, optional
            Whether for the other class.

        Returns
        -------
        list of int
            Their rows, the strongest first; only those whose own confidence is on this side of 0.
        """
        values = -self.patch_confidence if against else self.patch_confidence
        waiting = np.argsort(-values, kind="stable")
        waiting, chosen = waiting[values[waiting] > 0], []
        while len(waiting) and len(chosen) < count:
            chosen.append(int(waiting[0]))
            apart = np.abs(self.coords[waiting] - self.coords[waiting[0]]) >= self.size
            waiting = waiting[apart.any(axis=1)]
        return chosen


def read_heatmap(path) -> HeatMap:
    """Read what `put_heatmap` wrote of a slide.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    HeatMap

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        contribution = file["contribution"][:]
        valid = ~np.isnan(contribution)
        attributes = {**file["coords"].attrs, **file["contribution"].attrs}
        return HeatMap(file["coords"][:][valid], contribution[valid], attributes)

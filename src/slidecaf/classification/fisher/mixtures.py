"""A part's mixtures of descriptors, and their file.

Every candidate has one mixture of all training images of the part, and one of each inner fold's: an image that a
mixture was fitted to is encoded otherwise than one that it never saw, so that a shared one would misjudge candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from slidecaf.classification.folds import assign_folds, inner_fold_count
from slidecaf.classification.vectors import rows_of, training_slides, usable
from slidecaf.errors import SlidecafError
from slidecaf.features.rows import each_rows
from slidecaf.files.fingerprints import value_digest
from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.files.tables import read_tsv
from slidecaf.logs import logger
from slidecaf.pooling.fisher.mixture import Mixture, fit_mixture
from slidecaf.pooling.fisher.projection import Projection, fit_projection
from slidecaf.study.names import split_output
from slidecaf.study.status import check_read

DRAWN = 30_000
"""Descriptors that a mixture and its projection are fitted to, or as many a component as `PER_COMPONENT`."""

PER_COMPONENT = 250

ALL = None
"""In place of an inner fold: all training images."""


@dataclass(frozen=True)
class Codebook:
    """What images are encoded by: a candidate of the config, and what it was learned from.

    Attributes
    ----------
    features : str
        The feature set, or one of its outputs as ``set/output``.
    pca : int or None
        The principal components that are kept of descriptors.
    components : int
        Of the mixture.
    fold : int or None
        The inner fold whose images were left out of it; None of all training images of the part.
    """

    features: str
    pca: int | None
    components: int
    fold: int | None = ALL

    @property
    def place(self) -> str:
        """Where it lies in a file."""
        learned = "all" if self.fold is ALL else f"without-{self.fold}"
        return f"{self.features}/pca-{self.pca or 'none'}/components-{self.components}/{learned}"


def list_codebooks(wanted: Mapping, folds=(ALL,)) -> list[Codebook]:
    """Return the codebooks of a method, those of one feature set together.

    Parameters
    ----------
    wanted : mapping
        ``features``, ``pca`` and ``components``, each a list as in the config.
    folds : sequence of int or None, optional

    Returns
    -------
    list of Codebook
    """
    return [Codebook(*values) for values in product(wanted["features"], wanted["pca"], wanted["components"], folds)]


@dataclass(frozen=True, eq=False)
class Descriptors:
    """What is drawn of the descriptors of a feature set.

    Attributes
    ----------
    drawn : dict of str to ndarray of float16, shape (n, D)
        Slide to some of its descriptors.
    counts : dict of str to int
        Slide to how many it has.
    status : dict of str to str
        Slide to ``ok``, ``no tissue`` or ``unreadable``.
    """

    drawn: dict
    counts: dict
    status: dict


def draw(paths, features, slides, count, seed) -> Descriptors:
    """Draw descriptors of images, as many of each.

    An image's draw depends on the seed and its name, and on no other image.

    Parameters
    ----------
    paths : mapping of str to path-like
        Slide to the shard that it is in, or to its features file.
    features : str
        The feature set, or ``set/output``.
    slides : sequence of str
    count : int
        Of each image at most.
    seed : int

    Returns
    -------
    Descriptors
    """
    drawn, counts, status = {}, {}, {}
    for slide, rows in each_rows(paths, slides, output=split_output(features)[1]):
        chance = np.random.default_rng(int(value_digest({"seed": seed, "slide": slide})[:16], 16))
        chosen = np.sort(chance.permutation(len(rows.vectors))[:count])
        drawn[slide], counts[slide], status[slide] = rows.vectors[chosen], len(rows.vectors), rows.status
    return Descriptors(drawn, counts, status)


def fit_mixtures(
    path,
    *,
    features,
    folds,
    part,
    rows,
    classes,
    codebooks,
    inner_folds,
    seed,
    threads=1,
    on_bad_slide="fail",
    method="the method",
) -> None:
    """Fit all mixtures of a part, and write them: ``mixtures.h5``.

    Parameters
    ----------
    path : path-like
    features : dict of str to dict of str to path-like
        Feature set to slide to shard or features file; of the part's training slides at least.
    folds : path-like
        The table of folds.
    part : str
        ``fold-{k}`` or ``final``.
    rows : sequence of dict
        Training rows: slide, label, patient. Labels deal the inner folds, as `slidecaf.classification.choice.choose`
        does, and nothing else.
    classes : sequence of str
    codebooks : mapping
        ``features``, ``pca`` and ``components``, each a list as in the config, and ``steps``.
    inner_folds : int or None
        Wanted by the choice among candidates; None where there is one.
    seed : int
    threads : int, optional
        Last bits depend on it.
    on_bad_slide : {"fail", "exclude"}, optional
    method : str, optional
        What errors call the method.

    Raises
    ------
    SlidecafError
        If there are fewer descriptors than components, or a file is missing or damaged.
    """
    slides = training_slides(read_tsv(folds), part)
    wanted = max(DRAWN, PER_COMPONENT * max(codebooks["components"]))
    each = -(-wanted // max(len(slides), 1))
    sets = {
        name: draw(features[split_output(name)[0]], name, slides, each, seed)
        for name in dict.fromkeys(codebooks["features"])
    }
    status = {(name, slide): said for name, own in sets.items() for slide, said in own.status.items()}
    for (name, slide), said in status.items():
        check_read(name, slide, said, on_bad_slide)
    used = usable(status, slides)
    table = rows_of(rows, used, classes)
    dealt = _inner_folds(table, inner_folds, seed)
    with create_hdf5(path) as file:
        file["slides"] = np.array(used, "S")
        if dealt is not None:
            file["folds"] = dealt
        file.attrs["method"] = method
        for book in list_codebooks(codebooks, [ALL, *(() if dealt is None else np.unique(dealt).tolist())]):
            left_in = [slide for i, slide in enumerate(used) if book.fold is ALL or dealt[i] != book.fold]
            descriptors = np.concatenate([sets[book.features].drawn[slide] for slide in left_in])
            try:
                projection = fit_projection(descriptors, book.pca, threads=threads)
                mixture = fit_mixture(
                    projection(descriptors), book.components, seed=seed, threads=threads, max_iter=codebooks["steps"]
                )
            except SlidecafError as error:
                raise SlidecafError(f"{method}, feature set {book.features}: {error}") from error
            logger.info("%s: a mixture of %d images", book.place, len(left_in))
            group = file.create_group(book.place)
            for key in ("weights", "means", "variances"):
                group[key] = getattr(mixture, key)
            group["mean"] = projection.mean
            if projection.directions is not None:
                group["directions"] = projection.directions


def _inner_folds(table, wanted, seed):
    """Deal inner folds as the choice does; none where there is one candidate, or where it will say what is wrong."""
    labels, patients = ([row[key] for row in table] for key in ("label", "patient"))
    count = inner_fold_count(labels, patients, wanted) if wanted else None
    return None if count is None else assign_folds(labels, patients, count, seed=seed)


@dataclass(frozen=True, eq=False)
class Mixtures:
    """What ``mixtures.h5`` holds.

    Attributes
    ----------
    slides : list of str
        The training images, sorted.
    folds : ndarray of int, shape (n,), or None
        The inner fold of each; None where there are none.
    fitted : dict of Codebook to (Projection, Mixture)
    """

    slides: list
    folds: np.ndarray | None
    fitted: Mapping


def read_mixtures(path, books=None) -> Mixtures:
    """Read a part's mixtures.

    Parameters
    ----------
    path : path-like
    books : callable, optional
        The inner folds, None first, to the codebooks that are wanted; none of them by default.

    Returns
    -------
    Mixtures

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        slides = [slide.decode() for slide in file["slides"][:].tolist()]
        folds = file["folds"][:] if "folds" in file else None
        known = [ALL, *(() if folds is None else np.unique(folds).tolist())]
        fitted = {book: _fitted(file[book.place]) for book in (books(known) if books else ())}
    return Mixtures(slides, folds, fitted)


def _fitted(group):
    directions = group["directions"][:] if "directions" in group else None
    mixture = Mixture(*(group[key][:] for key in ("weights", "means", "variances")))
    return Projection(group["mean"][:], directions), mixture

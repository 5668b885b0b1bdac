"""The classification task's files: which slides a part learns from, and their pooled vectors."""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.features.shards import in_shards, read_shard
from slidecaf.pooling.file import read_pooled
from slidecaf.pooling.norms import Pooler, norm_name, parse_norm
from slidecaf.study.names import split_output
from slidecaf.study.status import STATUS_OK, check_read


def training_slides(folds, part) -> list:
    """Return the training slides that a part learns from.

    Parameters
    ----------
    folds : list of dict
        Rows of ``folds.tsv``: slide, patient, fold.
    part : str
        ``fold-{k}`` for the model that never sees fold k, or ``final`` for the one of all training rows.

    Returns
    -------
    list of str
        Sorted slide ids.
    """
    return sorted(row["slide"] for row in folds if f"fold-{row['fold']}" != part)


def held_out_slides(folds, part) -> list:
    """Return the training slides that a part leaves out; none for ``final``.

    Parameters
    ----------
    folds : list of dict
    part : str

    Returns
    -------
    list of str
        Sorted slide ids.
    """
    return sorted(row["slide"] for row in folds if f"fold-{row['fold']}" == part)


class PooledVectors:
    """The pooled vectors of some slides; of whole images, which are one patch, the vectors as they are.

    Parameters
    ----------
    paths : dict of str to dict of str to path-like
        Feature set, or one of its outputs as ``set/output``, to slide to pooled file, or to the shard that the slide is
        in.
    slides : iterable of str
        The slides wanted, which every feature set has; files of others are not opened.
    norms : iterable of float
        The norms wanted.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that could not be read is an error here.

    Attributes
    ----------
    patches : dict of (str, str) to int
        (feature set, slide) to the number of patches pooled.
    status : dict of (str, str) to str
        (feature set, slide) to ``ok``, ``no tissue`` or ``unreadable``.

    Raises
    ------
    SlideError
        If a slide was left out as unreadable and `on_bad_slide` is ``fail``.
    """

    def __init__(self, paths, *, slides, norms, on_bad_slide="exclude"):
        powers = {norm_name(norm): parse_norm(norm) for norm in norms}
        self._vectors, self.patches, self.status = {}, {}, {}
        wanted = sorted(slides)
        read = {
            features: _read_all(by_slide, wanted, powers, split_output(features)[1])
            for features, by_slide in paths.items()
        }
        for features, slide in product(paths, wanted):
            vectors, self.patches[features, slide], status = read[features][slide]
            self.status[features, slide] = status
            for name, vector in vectors.items():
                self._vectors[features, name, slide] = vector
            check_read(features, slide, status, on_bad_slide)

    @classmethod
    def read(cls, files, *, slides, wanted, on_bad_slide) -> "PooledVectors":
        """Read what a method wants.

        Parameters
        ----------
        files : dict of str to dict of str to path-like
            Feature set to slide to pooled file.
        slides : iterable of str
        wanted : mapping
            ``features`` and ``norm``, lists as in the config.
        on_bad_slide : {"fail", "exclude"}

        Returns
        -------
        PooledVectors

        Raises
        ------
        SlidecafError
            If a file is missing or damaged.
        SlideError
            As the class.
        """
        norms = [parse_norm(norm) for norm in wanted["norm"]]
        named = {name: files[split_output(name)[0]] for name in wanted["features"]}
        return cls(named, slides=slides, norms=norms, on_bad_slide=on_bad_slide)

    def usable(self, slides) -> list:
        """Return the slides that have a vector in every feature set.

        Parameters
        ----------
        slides : iterable of str

        Returns
        -------
        list of str
        """
        return usable(self.status, slides)

    def matrix(self, features, norm, slides) -> np.ndarray:
        """Return the vectors of one feature set and norm.

        Parameters
        ----------
        features : str
        norm : float
        slides : sequence of str
            n of them, each with a vector.

        Returns
        -------
        ndarray of float64, shape (n, D)
        """
        name = norm_name(parse_norm(norm))
        stacked = np.stack([self._vectors[features, name, slide] for slide in slides])
        return stacked.astype(np.float64, copy=False)


def _read_all(paths, slides, norms, output):
    """Return slide to its vectors by norm, its patches and its status, as `read_pooled` gives them.

    `norms` are norms by name.
    """
    if not in_shards({slide: paths[slide] for slide in slides}):
        return {slide: read_pooled(paths[slide], list(norms), output=output) for slide in slides}
    read, wanted = {}, set(slides)
    for shard in dict.fromkeys(paths[slide] for slide in slides):
        # an image's rows are pooled before those of the next one are read
        keep = partial(_pooled_rows, norms=norms, source=shard)
        images = read_shard(shard, output=output, keep=keep)
        read |= {slide: _vectors(image, norms) for slide, image in images.items() if slide in wanted}
    return {slide: read[slide] for slide in slides}


@dataclass(frozen=True, eq=False)
class _Pooled:
    """The places of an image as vectors by norm."""

    vectors: dict
    count: int


def _pooled_rows(rows, *, norms, source):
    pooler = Pooler(norms.values(), source=source)
    pooler.add(rows)
    return _Pooled(
        {norm_name(norm): vector for norm, vector in pooler.result().items()} if len(rows) else {}, len(rows)
    )


def _vectors(image, norms):
    """Return a whole image's vector under every norm: pooling one vector gives it back."""
    if isinstance(image.features, _Pooled):
        return image.features.vectors, image.features.count, image.status
    return {norm: row for norm in norms for row in image.features}, len(image.features), image.status


def usable(status, slides) -> list:
    """Return the slides that have vectors in every feature set.

    Parameters
    ----------
    status : dict of (str, str) to str
        (feature set, slide) to ``ok``, ``no tissue`` or ``unreadable``.
    slides : iterable of str

    Returns
    -------
    list of str
    """
    bad = {slide for (_, slide), said in status.items() if said != STATUS_OK}
    return [slide for slide in slides if slide not in bad]


def rows_of(table, slides, classes) -> list:
    """Pick the rows of some slides, and make sure that every class is among them.

    Parameters
    ----------
    table : list of dict
        Rows with slide and label.
    slides : sequence of str
    classes : sequence of str

    Returns
    -------
    list of dict
        In the order of `slides`.

    Raises
    ------
    SlidecafError
        If a class has no slide: all of its slides are without tissue or unreadable.
    """
    by_slide = {row["slide"]: row for row in table}
    rows = [by_slide[slide] for slide in slides]
    for label in classes:
        if not any(row["label"] == label for row in rows):
            raise SlidecafError(
                f"label {label!r}: none of its training slides has a patch; lower tiling.white_above, take a smaller "
                "patch_size, or add slides."
            )
    return rows

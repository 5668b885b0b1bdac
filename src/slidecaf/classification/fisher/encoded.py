"""Images encoded by a part's mixtures, and their file: one vector an image, kind and mixture."""

from itertools import product

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.classification.fisher.mixtures import ALL, Codebook, list_codebooks, read_mixtures
from slidecaf.classification.vectors import held_out_slides, training_slides, usable
from slidecaf.errors import SlidecafError
from slidecaf.features.rows import each_rows
from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.files.tables import read_tsv
from slidecaf.pooling.fisher.encoding import Encoder
from slidecaf.study.config import STORED
from slidecaf.study.names import split_output
from slidecaf.study.status import check_read

TRAINING, LEFT_OUT = "training", "left_out"
"""Whose vectors a file holds: those that the part learns from, or those that it decides on."""


def encode(
    path, *, mixtures, features, folds, part, rows, codebooks, kinds, slides=(), threads=1, on_bad_slide="fail"
) -> None:
    """Encode the images that a part learns from, or decides on.

    One image's descriptors are in memory at a time.

    Parameters
    ----------
    path : path-like
        The file that is written: ``training.h5`` or ``left_out.h5``.
    mixtures : path-like
        ``mixtures.h5`` of the part.
    features : dict of str to dict of str to path-like
        Feature set to slide to shard or features file.
    folds : path-like
        The table of folds.
    part : str
        ``fold-{k}`` or ``final``.
    rows : {"training", "left_out"}
        Training rows are encoded by the mixtures of the inner folds too.
    codebooks : mapping
        As for `slidecaf.classification.fisher.mixtures.fit_mixtures`.
    kinds : sequence of str
        ``fisher``, ``bow`` or ``vlad``: functions of `slidecaf.pooling.fisher.encoding.Encoder`.
    slides : iterable of str, optional
        What ``final`` decides on: the test slides.
    threads : int, optional
        Last bits depend on it.
    on_bad_slide : {"fail", "exclude"}, optional

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    table = read_tsv(folds)
    if rows == TRAINING:
        wanted = training_slides(table, part)
    else:
        wanted = sorted(slides) if part == "final" else held_out_slides(table, part)
    known = read_mixtures(
        mixtures, lambda inner: list_codebooks(codebooks, inner if rows == TRAINING else [ALL])
    ).fitted
    place = {slide: i for i, slide in enumerate(wanted)}
    with create_hdf5(path) as file, threadpool_limits({"blas": threads, "openmp": 1}):
        file["slides"] = np.array(wanted, "S")
        for name in dict.fromkeys(codebooks["features"]):
            books = {book: fitted for book, fitted in known.items() if book.features == name}
            vectors = {
                (book, kind): file.create_dataset(
                    f"{book.place}/{kind}", (len(wanted), _size(kind, mixture)), np.float32
                )
                for (book, (_, mixture)), kind in product(books.items(), kinds)
            }
            counts, status = np.zeros(len(wanted), np.int64), [""] * len(wanted)
            paths = features[split_output(name)[0]]
            for slide, found in each_rows(paths, wanted, output=split_output(name)[1]):
                check_read(name, slide, found.status, on_bad_slide)
                i = place[slide]
                counts[i], status[i] = len(found.vectors), found.status
                if len(found.vectors):
                    for (book, kind), vector in _encoded(found.vectors, books, kinds):
                        vectors[book, kind][i] = vector
            file[f"{name}/count"], file[f"{name}/status"] = counts, np.array(status, "S")


def _size(kind, mixture):
    components, dimension = mixture.means.shape
    return {"fisher": 2 * components * dimension, "bow": components, "vlad": components * dimension}[kind]


def _encoded(descriptors, books, kinds):
    """Yield each codebook and kind with the vector of an image; codebooks that share a projection make it once."""
    projected = {}
    for book, (projection, mixture) in books.items():
        key = book.pca, book.fold
        if key not in projected:
            projected[key] = projection(descriptors)
        encoder = Encoder(mixture).add(projected[key])
        for kind in kinds:
            yield (book, kind), getattr(encoder, kind)()


class EncodedVectors:
    """The encoded vectors of some slides. They are read when they are asked for.

    Parameters
    ----------
    path : path-like
        From `encode`.
    slides : sequence of str
        Those that are wanted.
    features : sequence of str
        The feature sets, or outputs, that are wanted.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that could not be read is an error here.

    Attributes
    ----------
    patches : dict of (str, str) to int
        (feature set, slide) to the number of descriptors.
    status : dict of (str, str) to str
        (feature set, slide) to ``ok``, ``no tissue`` or ``unreadable``.

    Raises
    ------
    SlideError
        If a slide was left out as unreadable and `on_bad_slide` is ``fail``.
    SlidecafError
        If the file is missing or damaged.
    """

    def __init__(self, path, *, slides, features, on_bad_slide):
        self.path, self.patches, self.status = path, {}, {}
        with open_hdf5(path) as file:
            self._place = {slide.decode(): i for i, slide in enumerate(file["slides"][:].tolist())}
            if missing := set(slides) - set(self._place):
                raise SlidecafError(f"{path} has no slide {min(missing)}; delete it and run again.")
            for name in features:
                counts, status = file[f"{name}/count"][:].tolist(), file[f"{name}/status"][:].tolist()
                for slide in slides:
                    i = self._place[slide]
                    self.patches[name, slide], self.status[name, slide] = counts[i], status[i].decode()
                    check_read(name, slide, self.status[name, slide], on_bad_slide)

    @classmethod
    def read(cls, path, *, slides, wanted, on_bad_slide) -> "EncodedVectors":
        """As `slidecaf.classification.vectors.PooledVectors.read`, of a file of encoded vectors.

        Parameters
        ----------
        path : path-like
        slides : iterable of str
        wanted : mapping
            ``features``, a list as in the config.
        on_bad_slide : {"fail", "exclude"}

        Returns
        -------
        EncodedVectors

        Raises
        ------
        SlidecafError
            As the class.
        """
        return cls(path, slides=sorted(slides), features=wanted["features"], on_bad_slide=on_bad_slide)

    def usable(self, slides) -> list:
        """Return the slides that have a descriptor in every feature set.

        Parameters
        ----------
        slides : iterable of str

        Returns
        -------
        list of str
        """
        return usable(self.status, slides)

    def matrix(self, book: Codebook, kind, slides) -> np.ndarray:
        """Return the vectors of one codebook.

        Parameters
        ----------
        book : Codebook
        kind : str
            As the config names it.
        slides : sequence of str
            n of them, each with a descriptor.

        Returns
        -------
        ndarray of float32, shape (n, D)

        Raises
        ------
        SlidecafError
            If the file is missing or damaged.
        """
        with open_hdf5(self.path) as file:
            return file[f"{book.place}/{STORED[kind]}"][:][[self._place[slide] for slide in slides]]

    def size(self, book: Codebook, kind) -> int:
        """Return the length of a codebook's vectors.

        Parameters
        ----------
        book : Codebook
        kind : str
            As the config names it.

        Returns
        -------
        int
        """
        with open_hdf5(self.path) as file:
            return file[f"{book.place}/{STORED[kind]}"].shape[1]

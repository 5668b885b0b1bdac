"""Slides as bags: the vectors of all their patches, for kinds that do not pool them."""

from itertools import product

import numpy as np

from slidecaf.classification.vectors import usable
from slidecaf.errors import SlidecafError
from slidecaf.features.file import one_output, open_features, valid_features
from slidecaf.study.names import split_output
from slidecaf.study.status import STATUS_OK, check_read


class Bags:
    """The patches of some slides. Their vectors are read when they are asked for, and valid ones only.

    Parameters
    ----------
    files : dict of str to dict of str to path-like
        Feature set, or one of its outputs as ``set/output``, to slide to features file.
    slides : iterable of str
        The slides wanted, which every feature set has; files of others are not opened.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that could not be read is an error here.

    Attributes
    ----------
    patches : dict of (str, str) to int
        (feature set, slide) to the number of valid patches.
    status : dict of (str, str) to str
        (feature set, slide) to ``ok``, ``no tissue`` or ``unreadable``.

    Raises
    ------
    SlideError
        If a slide was left out as unreadable and `on_bad_slide` is ``fail``.
    SlidecafError
        If a file is missing or damaged, or a slide has patches and none that is valid.
    """

    def __init__(self, files, *, slides, on_bad_slide):
        self._files, self.patches, self.status = files, {}, {}
        for name, slide in product(files, sorted(slides)):
            path = files[name][slide]
            with open_features(path) as file:
                status = str(file["features"].attrs["status"])
                count = int(np.count_nonzero(file["valid"][:]))
            check_read(name, slide, status, on_bad_slide)
            if status == STATUS_OK and not count:
                raise SlidecafError(f"{path}: slide {slide} has no valid patch; leave the slide out.")
            self.status[name, slide], self.patches[name, slide] = status, count

    @classmethod
    def read(cls, files, *, slides, wanted, on_bad_slide) -> "Bags":
        """As `slidecaf.classification.vectors.PooledVectors.read`, of features files and without norms.

        Parameters
        ----------
        files : dict of str to dict of str to path-like
        slides : iterable of str
        wanted : mapping
            ``features``, a list as in the config.
        on_bad_slide : {"fail", "exclude"}

        Returns
        -------
        Bags

        Raises
        ------
        SlidecafError
            As the class.
        """
        named = {name: files[split_output(name)[0]] for name in wanted["features"]}
        return cls(named, slides=slides, on_bad_slide=on_bad_slide)

    def usable(self, slides) -> list:
        """Return the slides that have a patch in every feature set.

        Parameters
        ----------
        slides : iterable of str

        Returns
        -------
        list of str
        """
        return usable(self.status, slides)

    def blocks(self, features, slide):
        """Read the vectors of a slide's valid patches, some at a time.

        Parameters
        ----------
        features, slide : str

        Yields
        ------
        ndarray of float16, shape (n, D)

        Raises
        ------
        SlidecafError
            If the file is missing or damaged.
        """
        with open_features(self._files[features][slide]) as file:
            yield from valid_features(file, output=split_output(features)[1])

    def matrix(self, features, slides) -> tuple[np.ndarray, np.ndarray]:
        """Read the vectors of several slides into one matrix, which is all the memory that this takes.

        Parameters
        ----------
        features : str
        slides : sequence of str, B of them
            Each with a patch.

        Returns
        -------
        vectors : ndarray of float16, shape (n, D)
            Slide after slide.
        offsets : ndarray of int64, shape (B + 1,)
            Slide i has the rows ``offsets[i]`` to ``offsets[i + 1]``.

        Raises
        ------
        SlidecafError
            If a file is missing or damaged, or slides have vectors of different lengths.
        """
        offsets = np.cumsum([0, *(self.patches[features, slide] for slide in slides)])
        vectors = np.empty((offsets[-1], self.dimension(features, slides[0])), np.float16)
        for slide, start in zip(slides, offsets, strict=False):
            for block in self.blocks(features, slide):
                if block.shape[1] != vectors.shape[1]:
                    raise SlidecafError(
                        f"feature set {features}: slide {slide} has vectors of {block.shape[1]} values and slide "
                        f"{slides[0]} of {vectors.shape[1]}; delete the files of one of them and run again."
                    )
                vectors[start : start + len(block)] = block
                start += len(block)
        return vectors, offsets

    def dimension(self, features, slide) -> int:
        """Return the length of a slide's vectors.

        Parameters
        ----------
        features, slide : str

        Returns
        -------
        int
        """
        with open_features(self._files[features][slide]) as file:
            return one_output(file, split_output(features)[1]).shape[1]

"""Patches of slides for a network: as many of each slide in every epoch, drawn anew, with the slide's label.

A slide of 5,000 patches would swamp one of 50, and its patches do not fit anywhere at the size that a network sees. So
an epoch reads at most `patches_per_slide` of each slide, from where its tiles file says that patches are. Which ones
comes of the seed, the part, the epoch and the slide: other slides change nothing of it, nor does a kill.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.patchwise import PatchReader, plan_bands
from slidecaf.features.extraction.pipeline import too_many_unreadable
from slidecaf.files.fingerprints import value_digest
from slidecaf.logs import logger, progress
from slidecaf.slides import Limits
from slidecaf.slides.hair import opened_as
from slidecaf.study.status import STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles
from slidecaf.training.augment import seed_of
from slidecaf.training.examples import Epoch
from slidecaf.training.images import kept_size, on_disk, shown

HELD_BACK = "held back"
"""In place of an epoch's number, where patches are drawn once."""

READ = 256
"""Neighbouring patches that are read together, of a slide of which all are."""


class Patches:
    """The patches of some slides, read when they are asked for.

    Parameters
    ----------
    slides : sequence of str
        The slides wanted, in this order.
    sources : mapping of str to mapping
        Slide to its ``path``, and ``mpp`` and ``scene`` as the sheet has them.
    tiles : mapping of str to path-like
        Slide to its tiles file.
    input_size : int
        Of the network, in px. Patches are kept a quarter larger, as images are.
    patches_per_slide : int
        How many of a slide an epoch sees at most.
    grey : bool, optional
    hair_removal : bool, optional
    limits : mapping, optional
        As for `slidecaf.slides.Limits.from_config`.
    threads : int, optional
        Slides that are read side by side. What is read does not depend on it.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide of which too much cannot be read is an error.
    max_unreadable : float, optional
        The share, 0 to 1, of a slide's patches that may be unreadable.

    Attributes
    ----------
    status : dict of str to str
        Slide to the ``status`` that its tiles file has.
    slides : list of str
        Those that have a patch, in the order given.
    """

    def __init__(
        self,
        slides: Sequence[str],
        sources: Mapping[str, Mapping],
        tiles: Mapping,
        *,
        input_size: int,
        patches_per_slide: int,
        grey: bool = False,
        hair_removal: bool = False,
        limits: Mapping | None = None,
        threads: int = 1,
        on_bad_slide: str = "fail",
        max_unreadable: float = 0.0,
    ):
        self._sources, self._size, self._grey, self._shaved = sources, kept_size(input_size), grey, hair_removal
        self._limits, self._threads = Limits.from_config(limits) if limits else Limits(), threads
        self._most, self._fails, self._max_unreadable = patches_per_slide, on_bad_slide == "fail", max_unreadable
        found = {slide: read_tiles(tiles[slide]) for slide in slides}
        self.status = {slide: said["status"] for slide, (_, said) in found.items()}
        self._tiles = {slide: one for slide, one in found.items() if len(one[0])}
        self.slides = list(self._tiles)

    def only(self, chosen: Mapping[str, bool]) -> "Patches":
        """Return those of some slides.

        Parameters
        ----------
        chosen : mapping of str to bool
            Slide to whether it is among them; of all.

        Returns
        -------
        Patches
        """
        some = copy(self)
        some.slides = [slide for slide in self.slides if chosen[slide]]
        return some

    def count(self, slide: str) -> int:
        """Return how many patches of a slide an epoch sees."""
        return min(self._most, self.total(slide))

    def total(self, slide: str) -> int:
        """Return how many patches a slide has."""
        return len(self._tiles[slide][0])

    def places(self, slide: str) -> str:
        """Return a digest of where a slide's patches are, and how large."""
        coords, said = self._tiles[slide]
        sizes = {key: int(said[key]) for key in ("patch_size", "patch_size_level0")}
        return value_digest({"coords": coords.tolist(), **sizes})

    def drawn(self, seed: str | int, epoch: int | str) -> tuple[torch.Tensor, list[str], np.ndarray, np.ndarray]:
        """Read what an epoch sees of each slide.

        Parameters
        ----------
        seed : str or int
            Of the study and the part.
        epoch : int or str

        Returns
        -------
        squares : torch.Tensor of uint8, shape (n, c, S, S)
            In a file without a name, as those of whole images.
        names : list of str, n of them
            Slide and place.
        owners : ndarray of int, shape (n,)
            The slide of each, as a place in `slides`.
        valid : ndarray of bool, shape (n,)
            Whether it could be read.

        Raises
        ------
        SlidecafError
            After all slides were tried, if of one more cannot be read than `max_unreadable` allows and `on_bad_slide`
            is ``fail``; else nothing of such a slide is valid. Or if there is no room for the file.
        """
        counts = [self.count(slide) for slide in self.slides]
        ends = np.cumsum(counts, dtype=np.int64)
        total = int(ends[-1]) if counts else 0
        squares = torch.from_numpy(on_disk((total, 1 if self._grey else 3, self._size, self._size)))
        valid, names = np.zeros(total, bool), [""] * total

        def read(place):
            slide, own = self.slides[place], slice(ends[place] - counts[place], ends[place])
            coords = self._tiles[slide][0]
            draw = np.random.default_rng([seed_of(seed, "patches", epoch, slide)])
            rows = np.sort(draw.choice(len(coords), counts[place], replace=False))
            least = self._least(counts[place], len(coords))
            names[own] = [f"{slide}/{x}/{y}" for x, y in coords[rows].tolist()]
            try:
                with self._opened(slide) as opened:
                    read_some = self._reader(opened, slide)
                    for k, row in enumerate(rows, own.start):  # far apart: a region around several would be large
                        some, good, reason = read_some(coords[row : row + 1])
                        squares[k], valid[k] = some[0], good[0]
                        if valid[own].sum() + own.stop - k - 1 < least:
                            raise too_many_unreadable(reason, self._max_unreadable, len(coords))
            except SlideError as error:  # no slide stops another
                valid[own] = False
                return error
            return None

        with ThreadPoolExecutor(self._threads) as pool:
            errors = list(pool.map(read, range(len(counts))))
        self.tell([(slide, error) for slide, error in zip(self.slides, errors, strict=True) if error])
        return squares, names, np.repeat(np.arange(len(counts)), counts), valid

    def every(self, slide: str, use: Callable[[torch.Tensor], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Read all patches of a slide, and use them piece by piece.

        Parameters
        ----------
        slide : str
        use : callable
            Takes squares, shape (n, c, S, S), and returns something of each.

        Returns
        -------
        values : ndarray
            What it gave of the patches that could be read, in the order of the tiles file.
        valid : ndarray of bool, shape (N,)
            Of all patches, whether it could be read.

        Raises
        ------
        SlideError
            If the slide cannot be opened, or more than `max_unreadable` of the patches cannot be read.
        """
        coords, said = self._tiles[slide]
        pieces = [rows for band in plan_bands(coords, int(said["patch_size_level0"]), READ) for rows in band]
        found, valid = [], np.ones(len(coords), bool)
        with self._opened(slide) as opened:
            read = self._reader(opened, slide)
            for rows, (some, good, reason) in zip(pieces, self._ahead(read, coords, pieces), strict=True):
                valid[rows[~good]] = False
                if valid.sum() < self._least(len(coords), len(coords)):
                    raise too_many_unreadable(reason, self._max_unreadable, len(coords))
                if good.any():
                    found.append((rows[good], use(some[good])))
        order = np.argsort(np.concatenate([rows for rows, _ in found]))
        return np.concatenate([values for _, values in found])[order], valid

    def tell(self, bad: Sequence[tuple[str, SlideError]]) -> None:
        """Say which slides cannot be read, and end where that is an error."""
        for _, error in bad:
            (logger.error if self._fails else logger.warning)("%s", error)
        if bad and self._fails:
            raise SlidecafError(
                f"{len(bad)} of {len(self.slides)} slides cannot be read ({', '.join(slide for slide, _ in bad)}); "
                "mend what is said of them above and run again, or set on_bad_slide to exclude."
            )

    def _ahead(self, read, coords, pieces) -> Iterator:
        """Read pieces in threads, a few ahead of the network."""
        with ThreadPoolExecutor(self._threads) as pool:
            waiting, left = deque(), iter(pieces)
            for rows in left:
                waiting.append(pool.submit(read, coords[rows]))
                if len(waiting) > self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _least(self, asked, every):
        """Return how many of those asked for have to be readable, of a slide of so many: one at least."""
        return max(1, asked - int(self._max_unreadable * every))

    def _opened(self, slide):
        own = self._sources[slide]
        named = {"name": slide, "mpp": own["mpp"], "scene": own["scene"]}
        return opened_as(own["path"], shaved=self._shaved, limits=self._limits, **named)

    def _reader(self, opened, slide):
        sizes = {key: int(self._tiles[slide][1][key]) for key in ("patch_size", "patch_size_level0")}
        reader = PatchReader(opened, input_size=self._size, **sizes)

        def read(coords):
            squares, valid, reason = reader(coords)
            return shown(squares, self._grey), valid, reason

        return read


class Drawn:
    """Patches as training asks for them.

    Parameters
    ----------
    patches : Patches
    labels : array_like of int
        Of its slides, from 0.
    held_back : array_like of bool
        The slides that epochs are judged by: by the mean of their patches' probabilities, of a draw that stays.
    seed : str or int
        Of the study and the part.
    """

    def __init__(self, patches: Patches, labels, held_back, seed):
        labels, held_back = np.asarray(labels), np.asarray(held_back, bool)
        out = dict(zip(patches.slides, held_back, strict=True))
        self._learned = patches.only({slide: not one for slide, one in out.items()})
        self._labels, self._seed = labels[~held_back], seed
        counts = [self._learned.count(slide) for slide in self._learned.slides]
        self.learned_labels = np.repeat(self._labels, counts)
        squares, _, owners, valid = patches.only(out).drawn(seed, HELD_BACK)
        self._squares, owners = squares[torch.from_numpy(valid)], owners[valid]
        seen, self._owners = np.unique(owners, return_inverse=True)
        self.judged_labels = labels[held_back][seen]

    def of_epoch(self, epoch: int) -> Epoch:
        """Read what an epoch learns from."""
        squares, names, owners, valid = self._learned.drawn(self._seed, epoch)
        return Epoch(squares, names, self._labels[owners], np.flatnonzero(valid))

    def judged_squares(self) -> torch.Tensor:
        """Return the patches of the slides held back."""
        return self._squares

    def judged_logits(self, logits: np.ndarray) -> np.ndarray:
        """Return the logarithms of each slide's mean probabilities."""
        return np.stack([mean_logits(logits[self._owners == k]) for k in range(len(self.judged_labels))])


def mean_logits(logits) -> np.ndarray:
    """Return the logarithms of the mean probabilities of a slide's patches.

    Parameters
    ----------
    logits : ndarray of float, shape (n, K)
        The softmax's inputs of each patch.

    Returns
    -------
    ndarray of float64, shape (K,)

    Examples
    --------
    >>> np.exp(mean_logits(np.log([[0.2, 0.8], [0.6, 0.4]]))).round(4)
    array([0.4, 0.6])
    """
    logits = np.asarray(logits, np.float64)
    return logsumexp(log_softmax(logits, axis=1), axis=0) - np.log(len(logits))


def judge_slides(patches: Patches, logits_of: Callable[[torch.Tensor], np.ndarray]) -> tuple[dict, dict, dict]:
    """Let a network judge slides by the mean probabilities of all their patches.

    Parameters
    ----------
    patches : Patches
    logits_of : callable
        Takes squares, shape (n, c, S, S), and returns the softmax's inputs, shape (n, K).

    Returns
    -------
    logits : dict of str to ndarray of float64, shape (K,)
        Of the slides that could be read.
    counts : dict of str to int
        The patches of these that were.
    status : dict of str to str
        Of all slides.

    Raises
    ------
    SlidecafError
        After all slides were tried, if one cannot be read and `on_bad_slide` is ``fail``.
    """
    logits, counts, status, bad = {}, {}, {}, []
    with progress(len(patches.slides), "slides judged", unit="slides") as advance:
        for slide in patches.slides:
            try:
                found, _ = patches.every(slide, logits_of)
            except SlideError as error:
                bad.append((slide, error))
                status[slide] = STATUS_UNREADABLE
            else:
                logits[slide], counts[slide], status[slide] = mean_logits(found), len(found), STATUS_OK
            advance(1)
    patches.tell(bad)
    return logits, counts, status

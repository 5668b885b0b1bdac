"""The slides of a batch and their patches, as an extraction takes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slidecaf.files.manifests import File
from slidecaf.tiles.file import read_tiles


@dataclass(frozen=True)
class Image:
    """A slide that is one patch.

    Attributes
    ----------
    name : str
        The slide's id.
    path : path-like
    mpp : float or None
        As the sheet has it.
    scene : str
        As the sheet has it.
    """

    name: str
    path: object
    mpp: float | None
    scene: str


@dataclass(frozen=True, eq=False)
class Source:
    """A slide and its patches.

    Attributes
    ----------
    name : str
        The slide's id.
    path : path-like
    mpp : float or None
        As the sheet has it.
    scene : str
        As the sheet has it.
    coords : ndarray of int64, shape (N, 2)
    tiles : mapping
        Attributes of the tiles file.
    """

    name: str
    path: object
    mpp: float | None
    scene: str
    coords: np.ndarray
    tiles: Mapping


class Sources:
    """The slides of a batch, read when they are asked for.

    Parameters
    ----------
    slides : mapping of str to mapping
        Slide to its ``mpp`` and ``scene``, in the order in which they are worked on.
    paths : mapping of str to path-like
        Slide to its file.
    tiles : mapping of str to File
        Slide to its tiles file.
    target : callable
        Slide to the file that is made of it.
    """

    def __init__(
        self, slides: Mapping[str, Mapping], paths: Mapping, tiles: Mapping[str, File], target: Callable[[str], Path]
    ):
        self._slides, self._paths, self._tiles, self._target = slides, paths, tiles, target
        self._order = list(slides)

    def __call__(self, slide: str) -> Source:
        """Read where a slide's patches are.

        Parameters
        ----------
        slide : str

        Returns
        -------
        Source

        Raises
        ------
        SlidecafError
            If its tiles file is missing or damaged.
        """
        coords, attributes = read_tiles(self._tiles[slide].path)
        own = self._slides[slide]
        return Source(slide, self._paths[slide], own["mpp"], own["scene"], coords, attributes)

    def after(self, slide: str) -> Source | None:
        """Return the slide that an extraction may begin while it ends another.

        Parameters
        ----------
        slide : str
            The other.

        Returns
        -------
        Source or None
            The next slide that has patches and no file yet; None where there is none.

        Raises
        ------
        SlidecafError
            If its tiles file is missing or damaged.
        """
        for name in self._order[self._order.index(slide) + 1 :]:
            if not self._target(name).exists():
                found = self(name)
                if len(found.coords):
                    return found
        return None

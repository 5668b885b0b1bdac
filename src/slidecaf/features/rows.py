"""The local descriptors of images: places of a map in shards, or patches of slides in files of their own, alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from slidecaf.features.file import one_output, open_features
from slidecaf.features.shards import is_shard
from slidecaf.files.hdf5 import open_hdf5
from slidecaf.study.status import STATUS_OK


@dataclass(frozen=True, eq=False)
class Rows:
    """The descriptors of an image.

    Attributes
    ----------
    vectors : ndarray of float16, shape (n, D)
        Places of a map have length 1 (L2), within 16 bit, or are zero. n is 0 where `status` is not ``ok``.
    scales : ndarray of float32, shape (n,)
        At which the network saw it; 1 for patches.
    boxes : ndarray of float32, shape (n, 4)
        The part of the image that it stands for: x, y, width, height in px of level 0. The boxes of one scale cover the
        image and do not overlap; those of patches are the patches.
    size : (int, int)
        Width and height of the image in px of level 0.
    status : str
        ``ok``, ``no tissue`` or ``unreadable``.
    """

    vectors: np.ndarray
    scales: np.ndarray
    boxes: np.ndarray
    size: tuple[int, int]
    status: str = STATUS_OK


def read_rows(path, slide, *, output="") -> Rows:
    """Read the descriptors of one image.

    Parameters
    ----------
    path : path-like
        The shard that it is in, or its features file.
    slide : str
    output : str, optional
        Which one is wanted of a feature set with several.

    Returns
    -------
    Rows

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or has no such image.
    """
    return next(each_rows({slide: path}, [slide], output=output))[1]


def each_rows(paths: Mapping, slides: Iterable[str], *, output=""):
    """Read the descriptors of some images, one at a time and each file once: opening one reads all of its checksum.

    Parameters
    ----------
    paths : mapping of str to path-like
        Slide to the shard that it is in, or to its features file.
    slides : iterable of str
    output : str, optional
        Which one is wanted of a feature set with several.

    Yields
    ------
    slide : str
        File after file, in the order of `slides` within each.
    rows : Rows

    Raises
    ------
    SlidecafError
        If a file is missing or damaged, or has no such image.
    """
    of_file = {}
    for slide in slides:
        of_file.setdefault(str(paths[slide]), []).append(slide)
    for path, wanted in of_file.items():
        with open_hdf5(path) as file:
            shard = is_shard(file)
            if shard:
                place = {name.decode(): i for i, name in enumerate(file["slides"][:].tolist())}
                for slide in wanted:
                    yield slide, _of_shard(file, place[slide], output)
        if not shard:
            for slide in wanted:
                with open_features(path) as file:
                    rows = _of_patches(file, output)
                yield slide, rows


def _of_shard(file, i, output):
    span = slice(*file["offsets"][i : i + 2])
    size = int(file["level0_width"][i]), int(file["level0_height"][i])
    vectors = one_output(file, output)[span]
    if "box" in file:
        scales, boxes = file["scale"][span, 0], file["box"][span]
    else:  # the whole image is one descriptor
        scales = np.ones(len(vectors), np.float32)
        boxes = np.tile(np.array([[0, 0, *size]], np.float32), (len(vectors), 1))
    return Rows(vectors, scales, boxes, size, file["status"][i].decode())


def _of_patches(file, output):
    valid, said = file["valid"][:], file["coords"].attrs
    vectors = one_output(file, output)[:][valid]
    corners = file["coords"][:][valid].astype(np.float32)
    sides = np.full((len(corners), 2), float(said["patch_size_level0"]) if len(corners) else 0, np.float32)
    size = tuple(int(said.get(f"level0_{side}", 0)) for side in ("width", "height"))
    scales = np.ones(len(vectors), np.float32)
    return Rows(vectors, scales, np.hstack([corners, sides]), size, str(file["features"].attrs["status"]))

"""A folder of class folders as the rows of a sheet; where they stand under train, val and test, with their split.

Names of folders and files are all that is looked at, so that a hundred thousand images take seconds.
"""

import os
from collections import Counter
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.study.checked import SLIDE_SUFFIXES
from slidecaf.study.ids import slide_ids

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Name of a folder of class folders, in small letters, to the split of what is in it. Images set apart to choose
settings are learned from: slidecaf chooses by cross-validation inside the training rows."""


def find_images(folder) -> tuple[list[dict], Counter]:
    """List the images of a folder of class folders.

    Parameters
    ----------
    folder : path-like
        It holds class folders, or folders called train, val and test that hold them. A class has the images of its
        folder and of all folders below it.

    Returns
    -------
    rows : list of dict
        image (an id), path, label (the class folder's name), patient (the id again: each image is its own), split and
        source (the name of the folder of class folders; empty where there is none), in the order of paths.
    others : collections.Counter
        Suffix to the files that are no images by it, and were passed over.

    Raises
    ------
    SlidecafError
        If an image lies in no class folder, class folders stand beside train and test, or there are fewer than two
        classes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SlidecafError(f"{folder} is no folder; give one that holds a folder a class.")
    tops = [name for name in _folders(folder) if name.casefold() in SPLITS]
    found, others = [], Counter()
    for top in tops or [""]:
        _refuse_loose(folder / top)
        for label in _folders(folder / top):
            images, more = _images(folder / top / label)
            found += [(path, label, top) for path in images]
            others += more
    if tops:
        _refuse_loose(folder)
        beside = [name for name in _folders(folder) if name not in tops and _images(folder / name)[0]]
        if beside:
            raise SlidecafError(
                f"{folder} holds {' and '.join(tops)} and beside them {beside[0]} with images, so that it is not clear "
                "which are class folders; move one of them elsewhere."
            )
    classes = sorted({label for _, label, _ in found})
    if len(classes) < 2:
        said = f"images of one class, {classes[0]}" if classes else "no images in class folders"
        raise SlidecafError(
            f"{folder} holds {said}; give a folder that holds a folder a class, two at least, or train, val and test "
            "with these."
        )
    found.sort()
    ids = slide_ids([path for path, _, _ in found])
    return [
        {
            **{"image": image, "path": path, "label": label, "patient": image},
            **{"split": SPLITS[top.casefold()] if top else "train", "source": top},
        }
        for image, (path, label, top) in zip(ids, found, strict=True)
    ], others


def _folders(folder):
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images(folder):
    """Return the images in a folder and below it, and suffixes of other files to their number."""
    images, others = [], Counter()
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                suffix = os.path.splitext(name)[1].lower()
                if suffix in SLIDE_SUFFIXES:
                    images.append(Path(top, name))
                else:
                    others[suffix or "no suffix"] += 1
    return images, others


def _refuse_loose(folder):
    """Refuse images that lie beside class folders."""
    with os.scandir(folder) as entries:
        loose = sorted(entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in SLIDE_SUFFIXES)
    if loose:
        raise SlidecafError(
            f"{folder} holds {loose[0]}{f' and {len(loose) - 1} more images' if len(loose) > 1 else ''} in no class "
            "folder; move each into the folder of its class, or elsewhere."
        )

"""What neurons of a classification look for: the patches that activate them most (paper, section 4 and Figure 5)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from slidecaf.classification.figure import PAPER, PATCHES, SIDE, draw_figure
from slidecaf.classification.svm import LinearSVM
from slidecaf.features.file import one_output, open_features
from slidecaf.features.shards import in_shards, read_shard
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, write_tsv
from slidecaf.logs import logger
from slidecaf.slides import LIMITS, open_slide
from slidecaf.study.names import split_output
from slidecaf.study.status import STATUS_OK
from slidecaf.tiles.whole import fitted, read_whole

NEURONS = 5
"""Neurons of each class: those with the largest weights for it."""

COLUMNS = ("class", "neuron", "weight", "place", "slide", "label", "x", "y", "patch_size", "activation")


@dataclass(frozen=True)
class Neuron:
    """A neuron that speaks for a class.

    Attributes
    ----------
    label : str
        The class.
    index : int
        Of the feature, from 0.
    weight : float
        Of the SVM, above 0: how much a larger value speaks for the class.
    """

    label: str
    index: int
    weight: float


def write_neurons(figure, table, *, model, features, slides, limits=LIMITS, caveats=()) -> None:
    """Draw the patches of training slides that activate a model's neurons most, and list them.

    Parameters
    ----------
    figure, table : path-like
        The figure as PNG, and its table with `COLUMNS`.
    model : path-like
        ``model.json`` of the final part.
    features : dict of str to dict of str to path-like
        Feature set to training slide to features file; those of the model's are read.
    slides : dict of str to dict
        Training slide to its ``path`` and ``label``.
    limits : slidecaf.slides.Limits, optional
    caveats : sequence of str, optional
        Lines below the figure.

    Raises
    ------
    SlidecafError
        If a slide or a file cannot be read.
    """
    stored = read_json(model)
    features_set, output = split_output(stored["features"])
    neurons, files = strongest(LinearSVM.from_dict(stored), stored["selection"]), features[features_set]
    whole = in_shards(files)
    patches = activating_patches(neurons, files, output=output)
    pictures = _pictures(patches, slides, limits, whole)
    rows = [
        {
            **{"class": neuron.label, "neuron": neuron.index, "weight": neuron.weight},
            **{"place": place, "label": slides[patch["slide"]]["label"], **patch},
        }
        for neuron, found in zip(neurons, patches, strict=True)
        for place, patch in enumerate(found)
    ]
    shown = {row["slide"] for row in rows}
    logger.info("%d neurons, %d patches of %d slides", len(neurons), len(rows), len(shown))
    write_tsv(table, COLUMNS, rows)
    with atomic(figure) as partial:
        draw_figure(neurons, patches, pictures, notes=caveats).save(partial, "PNG", optimize=True)


def _pictures(patches, slides, limits, whole):
    """Read the pictures of patches, or of whole slides, each slide opened once."""
    of_slide = {}
    for row, found in enumerate(patches):
        for place, patch in enumerate(found):
            of_slide.setdefault(patch["slide"], []).append((row, place, patch))
    pictures = [[None] * len(found) for found in patches]
    for name, wanted in sorted(of_slide.items()):
        with open_slide(slides[name]["path"], name=name, scene=slides[name]["scene"], limits=limits) as slide:
            for row, place, patch in wanted:
                own = patch["x"], patch["y"], patch["patch_size"]
                pictures[row][place] = read_image(slide) if whole else read_patch(slide, *own)
    return pictures


def strongest(model, selection, *, count=NEURONS):
    """Find the neurons with the largest weights for each class.

    Parameters
    ----------
    model : slidecaf.classification.svm.LinearSVM
    selection : sequence of int, d of them
        The features that the model sees, in its order.
    count : int, optional
        Neurons of a class at most.

    Returns
    -------
    list of Neuron
        Class by class, the positive class first; the largest weight first, ties by index. With more than two classes
        a weight is the sum over the pairs that the class is in. Weights that speak against a class are left out.
    """
    found = []
    for label in reversed(model.classes):
        weights = np.zeros(len(selection))
        for (first, second), coef in zip(model.pairs, model.coef, strict=True):
            weights += coef * ((label == second) * 1 - (label == first) * 1)
        order = np.lexsort((selection, -weights))[:count]
        found += [Neuron(label, int(selection[k]), float(weights[k])) for k in order if weights[k] > 0]
    return found


def activating_patches(neurons, features, *, count=PATCHES, output=""):
    """Find the patches that activate neurons most, at most one of each slide.

    Parameters
    ----------
    neurons : sequence of Neuron
    features : dict of str to path-like
        Slide to its features file, or to the shard that it is in. Slides without patches are passed over.
    count : int, optional
        Patches of a neuron at most.
    output : str, optional
        Which one is wanted of a feature set with several.

    Returns
    -------
    list of list of dict
        For each neuron its patches, the strongest first, ties by slide: slide, x and y (px of level 0), patch_size
        (px of level 0; of a whole slide its longer side), activation.
    """
    columns = np.array([neuron.index for neuron in neurons], int)
    peaks = (_peaks_of_images if in_shards(features) else _peaks_of_patches)(features, columns, output)
    found = []
    for k in range(len(neurons)):
        order = sorted(range(len(peaks)), key=lambda i, k=k: -peaks[i][1][k])[:count]
        found.append(
            [
                {
                    "slide": peaks[i][0],
                    "x": int(peaks[i][2][k, 0]),
                    "y": int(peaks[i][2][k, 1]),
                    "patch_size": peaks[i][3],
                    "activation": float(peaks[i][1][k]),
                }
                for i in order
                if np.isfinite(peaks[i][1][k])
            ]
        )
    return found


def _peaks(file, vectors, columns, rows=4096):
    """Return for each column its largest value among valid patches and where that patch is, and the patches' side."""
    best, place = np.full(len(columns), -np.inf), np.zeros(len(columns), int)
    for start in range(0, len(vectors), rows):
        valid = file["valid"][start : start + rows]
        values = np.where(valid[:, None], vectors[start : start + rows][:, columns].astype(float), -np.inf)
        top = values.argmax(axis=0)
        higher = values[top, np.arange(len(columns))] > best
        best[higher], place[higher] = values[top, np.arange(len(columns))][higher], start + top[higher]
    return best, file["coords"][:][place], int(file["coords"].attrs["patch_size_level0"])


def _peaks_of_patches(features, columns, output):
    """Return each slide that has patches, and what `_peaks` gives of it."""
    peaks = []
    for slide in sorted(features):
        with open_features(features[slide]) as file:
            vectors = one_output(file, output)
            if file["features"].attrs["status"] == STATUS_OK and len(vectors):
                peaks.append((slide, *_peaks(file, vectors, columns)))
    return peaks


def _peaks_of_images(features, columns, output):
    """Return as `_peaks_of_patches` does whole slides, which are one patch."""
    found = {}
    for shard in dict.fromkeys(features.values()):
        # of places, which are many rows, the largest value
        highest = lambda rows: rows.max(axis=0, keepdims=True) if len(rows) else rows  # noqa: E731
        for slide, image in read_shard(shard, output=output, keep=highest).items():
            if slide in features and len(image.features):
                side = max(image.level0_width, image.level0_height)
                found[slide] = (image.features[0, columns].astype(float), np.zeros((len(columns), 2), int), side)
    return [(slide, *found[slide]) for slide in sorted(found)]


def read_image(slide, *, side=SIDE):
    """Read a whole slide as a small square picture; what its shape leaves free is white.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    side : int, optional
        Of the picture, in px.

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    SlideError
        If it cannot be read.
    """
    width, height = fitted(slide.width, slide.height, side, "pad")
    picture, square = Image.fromarray(read_whole(slide, width, height)), Image.new("RGB", (side, side), PAPER)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square


def read_patch(slide, x, y, size, *, side=SIDE):
    """Read a patch as a small picture.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    x, y, size : int
        Its corner and side in px of level 0.
    side : int, optional
        Of the picture, in px.

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    SlideError
        If it cannot be read.
    """
    level = slide.best_level(max(1, size / side))
    scale = slide.levels[level].downsample
    across = max(1, round(size / scale))
    region = slide.read_padded(round(x / scale), round(y / scale), across, across, level)
    return Image.fromarray(region).resize((side, side), Image.Resampling.LANCZOS)

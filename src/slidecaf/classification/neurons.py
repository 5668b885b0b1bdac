"""What neurons of a classification look for: the patches that activate them most (paper, section 4 and Figure 5)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slidecaf.features.file import open_features
from slidecaf.study.status import STATUS_OK

NEURONS = 5
"""Neurons of each class: those with the largest weights for it."""

PATCHES = 8
"""Patches of each neuron, of as many slides, so that one slide does not fill a row."""

SIDE, GAP, CAPTION, LABEL = 144, 8, 18, 190
"""Px of a patch in the figure, between patches, of the line below each, and of the column that names neurons."""

PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (100, 100, 100)
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


def strongest(model, selection, *, count=NEURONS) -> list:
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


def activating_patches(neurons, features, *, count=PATCHES) -> list:
    """Find the patches that activate neurons most, at most one of each slide.

    Parameters
    ----------
    neurons : sequence of Neuron
    features : dict of str to path-like
        Slide to its features file. Slides without patches are passed over.
    count : int, optional
        Patches of a neuron at most.

    Returns
    -------
    list of list of dict
        For each neuron its patches, the strongest first, ties by slide: slide, x and y (px of level 0), patch_size
        (px of level 0), activation.
    """
    columns = np.array([neuron.index for neuron in neurons], int)
    peaks = []
    for slide in sorted(features):
        with open_features(features[slide]) as file:
            if file["features"].attrs["status"] == STATUS_OK and len(file["features"]):
                peaks.append((slide, *_peaks(file, columns)))
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


def _peaks(file, columns, rows=4096):
    """Return for each column its largest value among valid patches and where that patch is, and the patches' side."""
    best, place = np.full(len(columns), -np.inf), np.zeros(len(columns), int)
    for start in range(0, len(file["features"]), rows):
        valid = file["valid"][start : start + rows]
        values = np.where(valid[:, None], file["features"][start : start + rows][:, columns].astype(float), -np.inf)
        top = values.argmax(axis=0)
        higher = values[top, np.arange(len(columns))] > best
        best[higher], place[higher] = values[top, np.arange(len(columns))][higher], start + top[higher]
    return best, file["coords"][:][place], int(file["coords"].attrs["patch_size_level0"])


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


def patch_box(row, column) -> tuple[int, int, int, int]:
    """Return where a patch stands in the figure.

    Parameters
    ----------
    row, column : int
        From 0: which neuron, and which of its patches.

    Returns
    -------
    (int, int, int, int)
        Left, top, right and bottom in px.
    """
    left, top = LABEL + column * (SIDE + GAP), GAP + row * (SIDE + CAPTION + GAP)
    return left, top, left + SIDE, top + SIDE


def draw_figure(neurons, patches, pictures, *, notes=()):
    """Draw the figure: a row a neuron, as in the paper's Figure 5.

    Parameters
    ----------
    neurons : sequence of Neuron
    patches : sequence of list of dict
        From `activating_patches`.
    pictures : sequence of list of PIL.Image.Image
        Of these patches.
    notes : sequence of str, optional
        Lines below, such as that weights are random.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    font, small = ImageFont.load_default(15), ImageFont.load_default(11)
    width = patch_box(0, PATCHES)[0]
    bottom = patch_box(len(neurons), 0)[1]
    canvas = Image.new("RGB", (width, bottom + 22 * len(notes) + GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, (neuron, found) in enumerate(zip(neurons, patches, strict=True)):
        top = patch_box(row, 0)[1]
        said = ((_short(neuron.label, font, LABEL - 2 * GAP), INK), (f"neuron {neuron.index}", FAINT))
        for line, (text, ink) in enumerate([*said, (f"weight {neuron.weight:.3g}", FAINT)]):
            draw.text((GAP, top + 44 + 20 * line), text, ink, font)
        for column, patch in enumerate(found):
            box = patch_box(row, column)
            canvas.paste(pictures[row][column], box[:2])
            draw.text((box[0], box[3] + 3), _short(patch["slide"], small, SIDE), FAINT, small)
    for line, note in enumerate(notes):
        draw.text((GAP, bottom + 22 * line), note, INK, font)
    return canvas


def _short(text, font, width):
    """Shorten a text to a width in px."""
    if font.getlength(text) <= width:
        return text
    return next(f"{text[:end]}…" for end in range(len(text) - 1, -1, -1) if font.getlength(f"{text[:end]}…") <= width)


def read_figure(picture, table) -> list:
    """Read a figure back: its neurons, and each patch with its picture.

    Parameters
    ----------
    picture : path-like
        The figure, PNG.
    table : list of dict
        Rows of its table.

    Returns
    -------
    list of dict
        One a neuron: class, neuron, weight, and patches, the table's rows with ``picture`` (PIL.Image.Image).
    """
    with Image.open(Path(picture)) as opened:
        figure = opened.convert("RGB")
    rows = []
    for row in table:
        key = {"class": row["class"], "neuron": int(row["neuron"]), "weight": float(row["weight"])}
        if int(row["place"]) == 0:
            rows.append({**key, "patches": []})
        box = patch_box(len(rows) - 1, int(row["place"]))
        rows[-1]["patches"].append({**row, "activation": float(row["activation"]), "picture": figure.crop(box)})
    return rows

"""The figure of what neurons look for, a row a neuron as in the paper's Figure 5: drawn, and read back."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PATCHES = 8
"""Patches of each neuron, of as many slides, so that one slide does not fill a row."""

SIDE, GAP, CAPTION, LABEL = 144, 8, 18, 190
"""Px of a patch in the figure, between patches, of the line below each, and of the column that names neurons."""

PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (100, 100, 100)


def patch_box(row, column):
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
    neurons : sequence of slidecaf.classification.neurons.Neuron
    patches : sequence of list of dict
        From `slidecaf.classification.neurons.activating_patches`.
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


def read_figure(picture, table):
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

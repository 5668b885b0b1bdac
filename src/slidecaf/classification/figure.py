"""Figures of patches in rows: what neurons look for, as in the paper's Figure 5, and others; drawn, and read back."""

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
    rows = [
        (
            [neuron.label, f"neuron {neuron.index}", f"weight {neuron.weight:.3g}"],
            [(picture, patch["slide"]) for picture, patch in zip(own, found, strict=True)],
        )
        for neuron, found, own in zip(neurons, patches, pictures, strict=True)
    ]
    return draw_rows(rows, notes=notes)


def draw_rows(rows, *, notes=()):
    """Draw a figure of patches, in rows that say what they are.

    Parameters
    ----------
    rows : sequence of (list of str, list of (PIL.Image.Image or None, str))
        Of each row the lines at its left, the first of which stands out, and its patches with what stands below them;
        where None stands a place stays empty.
    notes : sequence of str, optional
        Lines below.

    Returns
    -------
    PIL.Image.Image
        RGB; patches stand at `patch_box`.
    """
    font, small = ImageFont.load_default(15), ImageFont.load_default(11)
    bottom = patch_box(len(rows), 0)[1]
    canvas = Image.new("RGB", (patch_box(0, PATCHES)[0], bottom + 22 * len(notes) + GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    for row, (lines, found) in enumerate(rows):
        top = patch_box(row, 0)[1]
        for line, text in enumerate(lines):
            ink = FAINT if line else INK
            draw.text((GAP, top + 44 + 20 * line), _short(text, font, LABEL - 2 * GAP), ink, font)
        for column, (picture, caption) in enumerate(found):
            if picture is not None:
                box = patch_box(row, column)
                canvas.paste(picture, box[:2])
                draw.text((box[0], box[3] + 3), _short(caption, small, SIDE), FAINT, small)
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
    figure, rows = open_figure(picture), []
    for row in table:
        key = {"class": row["class"], "neuron": int(row["neuron"]), "weight": float(row["weight"])}
        if int(row["place"]) == 0:
            rows.append({**key, "patches": []})
        box = patch_box(len(rows) - 1, int(row["place"]))
        rows[-1]["patches"].append({**row, "activation": float(row["activation"]), "picture": figure.crop(box)})
    return rows


def open_figure(path):
    """Read a figure as a picture in R, G and B.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    PIL.Image.Image
    """
    with Image.open(Path(path)) as opened:
        return opened.convert("RGB")

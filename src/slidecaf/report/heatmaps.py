"""What the report shows of why a slide is called what it is: its heat map, and the patches that speak most.

A heat map shows patch confidences, whose mean over the patches is exactly what is decided by
(`slidecaf.classification.heatmap.HeatMap`).
"""

import numpy as np
from PIL import Image, ImageOps

from slidecaf.classification.evidence import SIDES, read_evidence
from slidecaf.classification.heatmap import read_heatmap
from slidecaf.report.pictures import open_picture, shrunk
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import confidence_map
from slidecaf.slides.ramp import ramp

LIGHTEST = 0.45
"""How light the slide's black becomes below a heat map: the slide is grey, so that the map alone has colours."""

WITHIN = 0.97
"""Share of the patches whose colours are told apart; beyond, colours stay."""

PATCH_SIDE = 112
"""Px of a patch in the page."""


def explanations(study, name, album, patches) -> dict:
    """Gather heat maps of a method, and the patches that speak for and against.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    name : str
        Of the method.
    album, patches : slidecaf.report.pictures.Album
        For pictures of slides, and for those of patches.

    Returns
    -------
    dict
        ``of``, what is shared out, as `slidecaf.classification.heatmap.HeatMap` has it, empty without slides;
        ``scale``, where the colours end; ``colours``, the stops of their bar as CSS has them; and ``slides``, each with
        slide, label, predicted, against and speaks_for (classes), confidence, added (the sum over its patches),
        intercept, patches and speaking (how many, and how many of them speak for the class), picture (the slide and its
        heat map), and ``for`` and ``against_patches``, rows of ``evidence.tsv`` with their pictures.
    """
    layout = study.layout
    found = read_evidence(layout.evidence_figure.format(method=name), layout.evidence_table.format(method=name))
    heats = {slide: read_heatmap(layout.heatmap.format(method=name, slide=slide)) for slide in found}
    scale = _scale(list(heats.values()))
    slides = []
    for slide, rows in found.items():
        heat = heats[slide]
        said, own = heat.attributes, {side: [row for row in rows if row["side"] == side] for side in SIDES}
        for row in rows:
            row["picture"] = patches.put(shrunk(row["picture"], PATCH_SIDE))
        slides.append(
            {
                **{key: rows[0][key] for key in ("slide", "label", "predicted")},
                **{key: str(said[key]) for key in ("against", "speaks_for")},
                **{"confidence": float(said["confidence"]), "intercept": float(said["intercept"])},
                "added": float(heat.contribution.sum()),
                "patches": len(heat.contribution),
                "speaking": int((heat.patch_confidence > 0).sum()),
                "picture": album.put(beside(open_picture(study.thumbnail(slide), album.side), heat, scale), abreast=2),
                "for": own["for"],
                "against_patches": own["against"],
            }
        )
    colours = ", ".join(f"rgb({', '.join(str(round(c)) for c in stop)})" for stop in ramp(np.linspace(-1, 1, 9)))
    of = next((heat.of for heat in heats.values()), "")
    return {"of": of, "scale": scale, "colours": colours, "slides": slides}


def _scale(heats):
    """Return where the colours of some heat maps end: with two digits, so that most of the range has colours."""
    sizes = np.abs(np.concatenate([heat.patch_confidence for heat in heats] or [[1.0]]))
    return float(f"{np.quantile(sizes, WITHIN):.2g}") or 1.0


def beside(picture, heat, scale):
    """Draw a slide, and beside it, or below it where it is wide, its heat map.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of the whole slide, RGB.
    heat : slidecaf.classification.heatmap.HeatMap
    scale : float
        The patch confidence at which colours end.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    below, gap = picture.width > 1.5 * picture.height, max(2, max(picture.size) // 60)
    step = (0, picture.height + gap) if below else (picture.width + gap, 0)
    both = Image.new("RGB", (picture.width + step[0], picture.height + step[1]), "white")
    both.paste(picture, (0, 0))
    both.paste(laid_over(picture, heat, scale), step)
    return both


def laid_over(picture, heat, scale):
    """Lay a heat map over its slide: each pixel has the mean patch confidence of the patches that contain it.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of the whole slide, RGB.
    heat : slidecaf.classification.heatmap.HeatMap
    scale : float

    Returns
    -------
    PIL.Image.Image
        RGB; the slide in grey where no patch is.
    """
    width, height = (int(heat.attributes[f"level0_{side}"]) for side in ("width", "height"))
    cells = Cells.of_patches(heat.coords, heat.size, width, height)
    values = confidence_map(cells, heat.coords, heat.size, heat.patch_confidence)
    # the middle of each pixel of the picture says in which cell it lies
    down, across = (
        np.searchsorted(cuts, (np.arange(count) + 0.5) * length / count, side="right") - 1
        for cuts, count, length in ((cells.cuts_y, picture.height, height), (cells.cuts_x, picture.width, width))
    )
    shown = values[down[:, None], across]
    light = LIGHTEST + (1 - LIGHTEST) * np.asarray(ImageOps.grayscale(picture), np.float32)[..., None] / 255
    colour = np.where(np.isnan(shown)[..., None], 255, ramp(shown / scale))
    return Image.fromarray(np.rint(light * colour).astype(np.uint8))

"""The files of the demo studies, and those of a mini study for tests."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from slidecaf.demo.drawing import draw_image, draw_slide
from slidecaf.demo.pyramid import write_slide
from slidecaf.demo.study import IMAGES, SLIDES, DemoSlide
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import write_tsv

COLUMNS = ("slide", "path", "label", "patient", "split")
MASK_COLUMNS = ("slide", "path", "mask", "hemorrhage", "patient", "split")


def mask_paths(folder) -> list:
    """Return the masks of the demo study: necrosis and hemorrhage of every GBM slide.

    Parameters
    ----------
    folder : str

    Returns
    -------
    list of str
    """
    return [
        f"{folder}/masks/{slide.slide}-{kind}.png"
        for slide in SLIDES
        if slide.label == "GBM"
        for kind in ("necrosis", "hemorrhage")
    ]


def slide_paths() -> list:
    """Return the slides and masks of the demo study, relative to the clone.

    Returns
    -------
    list of str
    """
    return [*(f"demo/slides/{slide.slide}.tiff" for slide in SLIDES), *mask_paths("demo")]


def image_paths() -> list:
    """Return the images of the demo collection and the masks of necrosis, relative to its folder.

    Returns
    -------
    list of str
    """
    masks = [f"drawn/masks/{image.image}.png" for image in IMAGES if image.label == "necrosis"]
    return [*(f"drawn/images/{image.image}.png" for image in IMAGES), *masks]


def made_paths() -> set:
    """Return the slides, images and masks that the workflow draws, relative to the folder of their study.

    Returns
    -------
    set of str
    """
    return {*slide_paths(), *image_paths()}


def make_demo(folder, *, seed=0, workers=1) -> None:
    """Draw the demo study: ``slides/{slide}.tiff``, and ``masks/`` for GBM slides.

    Parameters
    ----------
    folder : path-like
    seed : int, optional
        Another seed is another study.
    workers : int, optional
        Processes that draw; files do not depend on it.
    """
    _spread(partial(_make, folder, seed), SLIDES, workers)


def make_collection(folder, *, seed=0, workers=1) -> None:
    """Draw the demo collection: ``images/{image}.png``, and ``masks/`` for necrosis.

    Parameters
    ----------
    folder : path-like
    seed, workers : int, optional
        As for `make_demo`.
    """
    _spread(partial(_make_image, folder, seed), IMAGES, workers)


def _spread(make, what, workers):
    if workers == 1:
        list(map(make, what))
        return
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(make, what))


def _make_image(folder, seed, image):
    from PIL import Image

    rgb, necrosis = draw_image(image, seed=seed)
    with atomic(Path(folder) / "images" / f"{image.image}.png") as partial:
        Image.fromarray(rgb).save(partial)
    if image.label == "necrosis":
        _write_mask(Path(folder) / "masks" / f"{image.image}.png", necrosis)


def _make(folder, seed, slide):
    rgb, *masks = draw_slide(slide, seed=seed)
    write_slide(Path(folder) / "slides" / f"{slide.slide}.tiff", rgb)
    if slide.label == "GBM":
        for kind, mask in zip(("necrosis", "hemorrhage"), masks, strict=True):
            _write_mask(Path(folder) / "masks" / f"{slide.slide}-{kind}.png", mask)


def _write_mask(path, mask):
    from PIL import Image

    with atomic(path) as partial:
        Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(partial)


def make_mini(folder, *, patients=4, seed=0, size=700) -> None:
    """Draw a small study for tests: one slide a patient, one test slide a class, and their two sheets.

    The test slide of the segmentation has no hemorrhage mask.

    Parameters
    ----------
    folder : path-like
    patients : int, optional
        Training patients a class.
    seed : int, optional
    size : int, optional
        Side of a slide in px.
    """
    from PIL import Image

    rows, masked = [], []
    for label in ("GBM", "LGG"):
        for number in range(1, patients + 2):
            split = "train" if number <= patients else "test"
            name = f"{label.lower()}-{number}"
            slide = DemoSlide(name, label, f"patient-{name}", split, 0.15 if label == "GBM" else 0.0)
            rgb, necrosis, hemorrhage = draw_slide(slide, seed=seed, size=size)
            with atomic(Path(folder) / "slides" / f"{name}.png") as partial:
                Image.fromarray(rgb).save(partial, compress_level=1)
            row = {"slide": name, "path": f"slides/{name}.png", "patient": slide.patient, "split": split}
            rows.append({**row, "label": label})
            if label == "GBM":
                row["mask"] = f"masks/{name}.png"
                _write_mask(Path(folder) / row["mask"], necrosis)
                if split == "train":
                    row["hemorrhage"] = f"masks/{name}-hemorrhage.png"
                    _write_mask(Path(folder) / row["hemorrhage"], hemorrhage)
                masked.append(row)
    write_tsv(Path(folder) / "classification.tsv", COLUMNS, rows, checked=False)
    write_tsv(Path(folder) / "segmentation.tsv", MASK_COLUMNS, masked, checked=False)

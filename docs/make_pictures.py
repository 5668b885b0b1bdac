"""Make the docs' pictures from a finished demo study: patches and predictions, and a necrosis map.

Run it with .venv/bin/python docs/make_pictures.py [STUDY] after make run; the study is the clone by default.
"""

import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw, ImageFont

from slidecaf.files.tables import read_tsv
from slidecaf.slides import open_slide
from slidecaf.tiles.file import read_tiles

ROOT = Path(__file__).resolve().parents[1]
STUDY = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
SIDE, EDGE = 620, (24, 90, 140)
RAMP = (38, 50, 120), (190, 200, 205), (250, 200, 40)  # of confidence, from low to high


def panel(slide, row):
    """Return a slide as a picture, the patches that were kept outlined, with its prediction below."""
    coords, attributes = read_tiles(STUDY / f"results/tiles/cnn-336/{slide}.h5")
    with open_slide(STUDY / f"demo/slides/{slide}.tiff") as opened:
        level = opened.best_level(max(opened.width, opened.height) / SIDE)
        of = opened.levels[level]
        picture = Image.fromarray(opened.read(0, 0, of.width, of.height, level))
        scale = SIDE / max(opened.width, opened.height)
        picture = picture.resize((round(opened.width * scale), round(opened.height * scale)), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    for box in (np.c_[coords, coords + attributes["patch_size_level0"]] * scale).round().astype(int).tolist():
        draw.rectangle(box, outline=EDGE)
    framed = Image.new("RGB", (SIDE + 20, SIDE + 70), "white")
    framed.paste(picture, (10, 10))
    said = f"{slide} (synthetic), truth {row['label']}: {row['predicted']}, confidence {float(row['confidence']):+.2f}"
    below = f"{row['patches']} patches of 336 px; random weights"
    font = ImageFont.load_default(size=18)
    write = ImageDraw.Draw(framed)
    write.text((12, SIDE + 14), said, fill="black", font=font)
    write.text((12, SIDE + 40), below, fill=(90, 90, 90), font=font)
    return framed


def framed(image, said):
    """Return an image in the panel's size with a line below it."""
    image = image.resize((SIDE, round(image.height * SIDE / image.width)), Image.Resampling.LANCZOS)
    panel = Image.new("RGB", (SIDE + 20, image.height + 50), "white")
    panel.paste(image, (10, 10))
    ImageDraw.Draw(panel).text((12, image.height + 18), said, fill="black", font=ImageFont.load_default(size=18))
    return panel


def necrosis(slide):
    """Return a slide, its confidence map and the prediction beside the truth, side by side."""
    top = STUDY / "results/segmentation/svm-cnn/plain"
    score = next(
        row for row in read_tsv(top.parent / "scores.tsv") if (row["slide"], row["variant"]) == (slide, "plain")
    )
    with open_slide(STUDY / f"demo/slides/{slide}.tiff") as opened:
        level = opened.best_level(opened.width / SIDE)
        picture = opened.read(0, 0, opened.levels[level].width, opened.levels[level].height, level)
    confidence = tifffile.imread(top / f"confidence/{slide}.tif")[::4, ::4]
    shown = np.interp(confidence, np.nanpercentile(confidence, (1, 99)), (0, 1))
    colours = np.stack([np.interp(shown, (0, 0.5, 1), channel) for channel in zip(*RAMP, strict=True)], axis=-1)
    overlay = Image.open(top / f"overlay/{slide}.jpg").convert("RGB")
    return [
        framed(Image.fromarray(picture), f"{slide} (synthetic)"),
        framed(Image.fromarray(colours.astype(np.uint8)), "confidence that it is necrosis: blue low, yellow high"),
        framed(overlay, f"score S {float(score['score']):.2f}; random weights"),
    ]


def save(panels, name):
    """Write panels side by side into docs/pictures."""
    picture = Image.new("RGB", (sum(p.width for p in panels), max(p.height for p in panels)), "white")
    left = 0
    for part in panels:
        picture.paste(part, (left, 0))
        left += part.width
    (ROOT / "docs/pictures").mkdir(exist_ok=True)
    picture.quantize(128).save(ROOT / "docs/pictures" / name, optimize=True)


def main():
    """Write docs/pictures/demo.png and necrosis.png."""
    rows = {row["slide"]: row for row in read_tsv(STUDY / "results/classification/svm-cnn/predictions.tsv")}
    save([panel(slide, rows[slide]) for slide in ("gbm-01", "lgg-01")], "demo.png")
    save(necrosis("gbm-01"), "necrosis.png")


main()

"""Make the README's picture from a finished demo study: two slides with their patches and predictions.

Run it with .venv/bin/python docs/make_pictures.py after make run.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slidecaf.slides import open_slide
from slidecaf.store import read_tiles, read_tsv

ROOT = Path(__file__).resolve().parents[1]
SIDE, EDGE = 620, (24, 90, 140)


def panel(slide, row):
    """Return a slide as a picture, the patches that were kept outlined, with its prediction below."""
    coords, attributes = read_tiles(ROOT / f"results/tiles/cnn-336/{slide}.h5")
    with open_slide(ROOT / f"demo/slides/{slide}.tiff") as opened:
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


def main():
    """Write docs/pictures/demo.png."""
    rows = {row["slide"]: row for row in read_tsv(ROOT / "results/classification/svm-cnn/predictions.tsv")}
    panels = [panel(slide, rows[slide]) for slide in ("gbm-01", "lgg-01")]
    picture = Image.new("RGB", (sum(p.width for p in panels), panels[0].height), "white")
    picture.paste(panels[0], (0, 0))
    picture.paste(panels[1], (panels[0].width, 0))
    (ROOT / "docs/pictures").mkdir(exist_ok=True)
    picture.quantize(128).save(ROOT / "docs/pictures/demo.png", optimize=True)


main()

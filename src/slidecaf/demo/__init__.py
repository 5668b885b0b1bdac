"""Synthetic slides and images: drawn by a program, no tissue of anybody.

`study` says which slides and images the demos have and `files` makes them; `drawing` puts a slide together of `noise`
(where tissue is), `nuclei`, `vessels` and `tumours` (what lies in it) and `stain` (how it looks), and `pyramid` writes
it.
"""

from slidecaf.demo.drawing import draw_image, draw_slide
from slidecaf.demo.files import (
    image_paths,
    made_paths,
    make_collection,
    make_demo,
    make_mini,
    mask_paths,
    slide_paths,
)
from slidecaf.demo.pyramid import write_slide
from slidecaf.demo.study import IMAGES, SLIDES, DemoImage, DemoSlide

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

__all__ = [
    "IMAGES",
    "SLIDES",
    "DemoImage",
    "DemoSlide",
    "draw_image",
    "draw_slide",
    "image_paths",
    "made_paths",
    "make_collection",
    "make_demo",
    "make_mini",
    "mask_paths",
    "slide_paths",
    "write_slide",
]

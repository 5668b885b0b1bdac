"""Synthetic slides: drawn by a program, no tissue of anybody."""

from slidecaf.demo.drawing import draw_slide
from slidecaf.demo.files import made_paths, make_demo, make_mini, mask_paths
from slidecaf.demo.pyramid import write_slide
from slidecaf.demo.study import SLIDES, Slide

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

__all__ = ["SLIDES", "Slide", "draw_slide", "made_paths", "make_demo", "make_mini", "mask_paths", "write_slide"]

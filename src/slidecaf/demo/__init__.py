"""Synthetic slides: drawn by a program, no tissue of anybody."""

from slidecaf.demo.drawing import draw_slide
from slidecaf.demo.files import made_paths, make_demo, make_mini, mask_paths
from slidecaf.demo.pyramid import write_slide
from slidecaf.demo.study import SLIDES, DemoSlide

__all__ = ["SLIDES", "DemoSlide", "draw_slide", "made_paths", "make_demo", "make_mini", "mask_paths", "write_slide"]

"""Synthetic slides: drawn by a program, no tissue of anybody.

`study` says which slides the demo has and `files` makes them; `drawing` puts a slide together of `noise` (where tissue
is), `nuclei`, `vessels` and `tumours` (what lies in it) and `stain` (how it looks), and `pyramid` writes it.
"""

from slidecaf.demo.drawing import draw_slide
from slidecaf.demo.files import made_paths, make_demo, make_mini, mask_paths
from slidecaf.demo.pyramid import write_slide
from slidecaf.demo.study import SLIDES, DemoSlide

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

__all__ = ["SLIDES", "DemoSlide", "draw_slide", "made_paths", "make_demo", "make_mini", "mask_paths", "write_slide"]

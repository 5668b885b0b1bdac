"""Masks of a sheet as layers over a slide."""

import numpy as np
from PIL import Image

from slidecaf.study.sheets import Row
from slidecaf.viewer.layer_files import SheetMask


def test_a_mask_of_the_bounds_lies_at_level_0_where_they_are(tmp_path):
    marked = np.random.default_rng(0).random((20, 30)) < 0.5
    Image.fromarray(marked * np.uint8(3)).save(tmp_path / "m.png")
    row = Row(2, "a", "a.scn", "p", "train", None, None, mask=str(tmp_path / "m.png"))
    settings = {"mask_value": 3, "mask_channel": None}
    mask = SheetMask(row, "mask", width=64, height=48, bounds=(13, 9, 30, 20), **settings)
    expected = np.zeros((48, 64), bool)
    expected[9:29, 13:43] = marked
    np.testing.assert_array_equal(mask.read(0, 0, 64, 48), expected)
    np.testing.assert_array_equal(mask.read(11, 7, 20, 10), expected[7:17, 11:31])
    mask.close()

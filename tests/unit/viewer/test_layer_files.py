"""Masks of a sheet, and the tissue of a tiles file, as layers over a slide."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.study.sheets import Row
from slidecaf.tiles.file import write_tiles
from slidecaf.tiles.otsu import Tissue
from slidecaf.viewer.layer_files import SheetMask, TissueRaster


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


def test_tissue_is_where_the_tiles_file_has_it_at_any_scale(tmp_path):
    mask = np.zeros((5, 8), bool)
    mask[1:3, 2:7] = True
    write_tiles(tmp_path / "a.h5", [], {}, tissue=Tissue(mask, 20))
    raster = TissueRaster(tmp_path / "a.h5", width=80, height=50)
    np.testing.assert_array_equal(raster.read(0, 0, 80, 50), np.repeat(np.repeat(mask, 10, axis=0), 10, axis=1))
    np.testing.assert_array_equal(raster.read(13, 7, 30, 20), raster.read(0, 0, 80, 50)[7:27, 13:43])
    write_tiles(tmp_path / "b.h5", [], {})
    with pytest.raises(SlidecafError, match=r"b.h5 does not say where tissue is"):
        TissueRaster(tmp_path / "b.h5", width=80, height=50)

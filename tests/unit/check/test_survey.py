"""Slides looked at before a run."""

import errno
import json
import os
import tempfile
import time

import numpy as np
import pytest
import tifffile
from PIL import Image

from slidecaf.check import survey as module
from slidecaf.check.survey import look, survey
from slidecaf.errors import SlidecafError
from slidecaf.slides import open_slide
from slidecaf.study.sheets import Row
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling
from tests.unit.batch_jobs import picture
from tests.unit.scanned import write_scn
from tests.unit.slides.test_stain import stained

TILING = {"patch_size": 100, "overlap": 0.0, "edge": "drop", "white_above": 200, "mpp": None}


def row(path, slide="a", **more):
    return Row(2, slide, str(path), "p", "train", None, None, **more)


def half_white(path, size=(800, 400)):
    pixels = np.full((size[1], size[0], 3), 255, np.uint8)
    pixels[:, : size[0] // 2] = 120
    Image.fromarray(pixels).save(path)
    return path


def crash(row, tilings, masks=None, stains=None):
    """Stands in for a library that ends the process, or never returns."""
    if row.slide == "crash":
        os._exit(11)
    if row.slide == "hang":
        time.sleep(600)
    return look(row, tilings, masks)


def test_a_region_of_interest_limits_the_estimate_and_one_that_will_not_do_is_said(tmp_path):
    geometry = {"type": "Polygon", "coordinates": [[[0, 0], [800, 0], [800, 190], [0, 190], [0, 0]]]}
    roi = tmp_path / "roi.geojson"
    roi.write_text(json.dumps([{"type": "Feature", "geometry": geometry}]))
    limited = row(half_white(tmp_path / "a.png"), roi=str(roi))
    seen = look(limited, {"x": TILING, "all": TILING | {"white_above": None}})
    assert seen.patches == {"x": 8, "all": 16}  # the upper two of four rows, of the second the centres alone
    assert seen.kept["x"] == {"white": 0.5, "roi": 0.5}
    roi.write_text("[]")
    (problem,) = look(limited, {"x": TILING, "all": TILING}).problems
    assert "slide a: column roi:" in problem
    assert "has no area" in problem


def test_patches_are_estimated_from_the_white_share(tmp_path):
    seen = look(row(half_white(tmp_path / "a.png")), {"x": TILING, "all": TILING | {"white_above": None}})
    assert (seen.width, seen.height, seen.tissue) == (800, 400, 0.5)
    assert seen.patches == {"x": 16, "all": 32}
    assert seen.cells == {"x": 32, "all": 32}
    assert seen.megapixel > 0


def test_of_a_slide_without_a_small_level_some_blocks_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "OVERVIEW", 0)
    seen = look(row(half_white(tmp_path / "a.png")), {"x": TILING, "all": TILING | {"white_above": None}})
    assert seen.patches == {"x": 16, "all": 32}
    assert seen.tissue == 0.5


def test_the_estimate_is_near_the_count_on_a_real_slide(shared_data):
    path = shared_data / "slides" / "cmu-1-small-region.svs"
    tiling = TILING | {"patch_size": 112}
    with open_slide(path) as slide:
        counted = len(tile(slide, Tiling.from_config(tiling)).coords)
    assert look(row(path), {"x": tiling}).patches["x"] == pytest.approx(counted, rel=0.1)


def test_a_slide_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    assert "slide a" in look(row(tmp_path / "a.png"), {"x": TILING}).unreadable


def test_a_missing_resolution_and_a_mask_of_another_size_are_problems(tmp_path):
    half_white(tmp_path / "mask.png", (80, 40))
    slide = row(half_white(tmp_path / "a.png"), mask=str(tmp_path / "mask.png"))
    problems = look(slide, {"x": TILING | {"mpp": 0.5}}).problems
    assert len(problems) == 2
    assert "column mpp" in problems[0]
    assert "row 2, column mask" in problems[1]
    assert "80 x 40" in problems[1]


def test_slides_that_hang_or_crash_take_no_other_down(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "look", crash)
    half_white(tmp_path / "a.png")
    rows = [(row(tmp_path / "a.png", slide), {"x": TILING}) for slide in ("first", "crash", "hang", "last")]
    seen = {found.slide: found for found in survey(rows, workers=2, timeout=8)}
    assert list(seen) == ["first", "crash", "hang", "last"]
    assert "exit code 11" in seen["crash"].unreadable
    assert "within 8 s" in seen["hang"].unreadable
    assert seen["first"].patches == seen["last"].patches == {"x": 16}


def test_masks_are_looked_at_where_the_bounds_say_so(tmp_path):
    marked = np.zeros((200, 300), np.uint8)
    marked[:50] = 1
    mask = tmp_path / "mask.png"
    Image.fromarray(marked).save(mask)
    path = write_scn(tmp_path / "a.scn", np.full((200, 300, 3), 90, np.uint8), (640, 480), (100, 70))
    seen = look(row(path, mask=str(mask)), {"x": TILING}, {})
    assert seen.problems == []
    (found,) = seen.masks
    assert (found.width, found.height, found.share, found.whole, found.values) == (300, 200, 0.25, True, "0, 1")
    Image.fromarray(marked[:100]).save(mask)
    (problem,) = look(row(path, mask=str(mask)), {"x": TILING}, {}).problems
    assert "640 x 480" in problem
    assert "300 x 200" in problem


def test_what_was_understood_of_a_slide_is_told(tmp_path):
    pixels = np.full((400, 600, 3), 243, np.uint8)
    pixels[:, :100] = 0
    pixels[100:300, 200:400] = (190, 90, 160)
    options = {"photometric": "rgb", "tile": (64, 64), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "s.tif", pixels, resolution=(20000, 20000), **options)
    tilings = {
        "plain": {**TILING, "patch_size": 50},
        "otsu": {**TILING, "patch_size": 50, "tissue": "otsu"},
        "fine": {**TILING, "patch_size": 50, "mpp": 0.125},
    }
    found = look(row(tmp_path / "s.tif", slide="s"), tilings)
    assert (found.mpp, found.mpp_from, found.file_mpp) == (pytest.approx(0.5), "file", pytest.approx((0.5, 0.5)))
    assert found.levels == {"plain": 0, "otsu": 0, "fine": 0}
    assert found.patches["plain"] == 16 + 2 * 8  # tissue, and black padding
    assert found.patches["otsu"] == 16
    assert found.kept["otsu"] == {"white": pytest.approx(32 / 96), "otsu": pytest.approx(16 / 96)}
    assert found.warnings == [
        "slide s: it has 0.5 micrometres a pixel and tiling.mpp is 0.125, so that patches are enlarged 4 times and "
        "show no more than the slide does."
    ]


def test_oblong_and_dark_pixels_are_said(tmp_path):
    options = {"photometric": "rgb", "tile": (64, 64), "resolutionunit": "CENTIMETER"}
    dark = np.random.default_rng(0).integers(0, 4096, (200, 200, 3)).astype(np.uint16)  # of 12 bit, and no word of it
    tifffile.imwrite(tmp_path / "s.tif", dark, resolution=(40000, 20000), **options)
    found = look(row(tmp_path / "s.tif", slide="s"), {"plain": TILING})
    assert found.warnings[0].startswith("slide s: its pixels are 0.25 x 0.5 micrometres")
    assert "slide s: its brightest px has 16 of 255 in its darkest channel" in found.warnings[1]
    assert not found.problems
    assert "slide s: " in look(row(tmp_path / "s.tif", slide="s"), {"plain": TILING | {"mpp": 1.0}}).problems[0]


def test_a_folder_of_temporary_files_too_long_for_a_socket_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 90)))
    with pytest.raises(SlidecafError, match=r"is longer than the 75 bytes .* such as /tmp"):
        next(survey([]))


def test_a_slide_that_the_machine_does_not_give_is_its_fault_and_not_left_out(tmp_path, monkeypatch):
    def refuse(path, *arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    path = half_white(tmp_path / "a.png")
    monkeypatch.setattr("builtins.open", refuse)
    found = look(row(path), {"f": TILING})
    assert found.fault
    assert found.unreadable.endswith(
        "a.png cannot be read (Input/output error): see whether its disk answers and run again; the file may be good."
    )


def test_a_stain_that_cannot_be_normalised_is_refused_by_feature_set(tmp_path):
    stains = {"one": "reinhard", "two": "reinhard"}
    wanted = dict.fromkeys((*stains, "plain"), TILING)
    pale = picture(tmp_path / "pale.png", np.full((60, 80, 3), 230, np.uint8))
    found = look(row(pale, slide="pale"), wanted, stains=stains)
    said = f"slide pale: {pale}: its stain cannot be fitted by reinhard (0 px of 80 x 60"
    assert [problem.partition(said)[:2] for problem in found.refused] == [
        ("features.one: ", said),
        ("features.two: ", said),
    ]
    assert not found.problems
    assert not look(row(picture(tmp_path / "good.png", stained())), wanted, stains=stains).refused

"""Slides looked at before a run."""

import errno
import os
import tempfile
import time

import numpy as np
import pytest
from PIL import Image

from slidecaf.check import survey as module
from slidecaf.check.survey import look, survey
from slidecaf.errors import SlidecafError
from slidecaf.slides import open_slide
from slidecaf.study.sheets import Row
from slidecaf.tiles.grid import Tiling, tile

TILING = {"patch_size": 100, "overlap": 0.0, "edge": "drop", "white_above": 200, "mpp": None}


def row(path, slide="a", **more):
    return Row(2, slide, str(path), "p", "train", None, None, **more)


def half_white(path, size=(800, 400)):
    pixels = np.full((size[1], size[0], 3), 255, np.uint8)
    pixels[:, : size[0] // 2] = 120
    Image.fromarray(pixels).save(path)
    return path


def crash(row, tilings, mask_value=None):
    """Stands in for a library that ends the process, or never returns."""
    if row.slide == "crash":
        os._exit(11)
    if row.slide == "hang":
        time.sleep(600)
    return look(row, tilings, mask_value)


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

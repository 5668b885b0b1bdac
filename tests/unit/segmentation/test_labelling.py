"""Labels of a batch of slides."""

import numpy as np
import pytest
import tifffile

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import open_hdf5
from slidecaf.segmentation.labelling import label_slides
from slidecaf.segmentation.labels import read_patch_labels, read_truth
from slidecaf.tiles.file import write_tiles
from tests.unit.batch_jobs import LIMITS, done_twice, manifest, of, picture

SIDE = 32
COORDS = np.array([[x, y] for y in (0, 32) for x in (0, 32, 64)])
MANIFEST = "results/labels/cnn/batch-0.tsv"


def tiles(slide, status="ok", region=None):
    known = {"level0_width": 96, "level0_height": 64, "patch_size_level0": SIDE, "stride_level0": 32.0}
    path = f"tiles/{slide}.h5"
    coords = COORDS if status == "ok" else COORDS[:0]
    coords = coords if region is None else region[:-1]  # one of which another rule leaves out
    write_tiles(path, coords, {"status": status, **(known if status == "ok" else {})}, region=region)
    return path


def job(masks, statuses=None, regions=None, **settings):
    files = {slide: tiles(slide, (statuses or {}).get(slide, "ok"), (regions or {}).get(slide)) for slide in masks}
    listed = manifest("tiles/batch-0.tsv", files)
    named = {slide: {"number": 2, "mask": mask, "hemorrhage": other} for slide, (mask, other) in masks.items()}
    own = {slide: {"mask": "digest", "hemorrhage": ""} for slide in masks}
    label_slides(
        MANIFEST, own, of("segmentation", **{"mask_value": None, **settings}), tiles=listed, masks=named, limits=LIMITS
    )


@pytest.fixture
def mask(tmp_path, monkeypatch):
    """Necrosis in the first 40 columns: all of the first patches, a quarter of the second ones."""
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((64, 96), np.uint8)
    pixels[:, :40] = 255
    return pixels


def test_patches_more_than_half_covered_are_necrosis(mask):
    path = picture("mask.png", mask)
    assert done_twice(lambda: job({"a": (path, ""), "b": (path, "")}), MANIFEST) == ["a", "b"]
    assert read_patch_labels("results/labels/cnn/a.h5", 6).tolist() == [True, False, False] * 2
    truth = read_truth("results/labels/cnn/a.h5")
    assert truth.necrosis.sum() == 40 * 64
    assert truth.cells.areas.sum() == 96 * 64


def test_hemorrhage_takes_necrosis_back(mask):
    bled = np.zeros_like(mask)
    bled[:32, :32] = 255
    job({"a": (picture("mask.png", mask), picture("bled.png", bled))})
    assert read_patch_labels("results/labels/cnn/a.h5", 6).tolist() == [False, False, False, True, False, False]


def test_a_mask_counts_where_the_region_of_interest_has_patches_whatever_other_rules_leave(mask, caplog):
    path = picture("mask.png", mask)
    region = np.array([[0, 0], [32, 0], [32, 32]])
    with caplog.at_level("INFO", logger="slidecaf"):
        job({"a": (path, ""), "whole": (path, "")}, regions={"a": region})
    truth, whole = read_truth("results/labels/cnn/a.h5"), read_truth("results/labels/cnn/whole.h5")
    judged = np.zeros((64, 96), bool)
    for x, y in region:
        judged[y : y + SIDE, x : x + SIDE] = True
    assert truth.necrosis.sum() == (judged & (mask > 0)).sum() == 32 * 40 + 32 * 8
    assert whole.necrosis.sum() == 64 * 40
    assert read_patch_labels("results/labels/cnn/a.h5", 2).tolist() == [True, False]
    assert "a: 40.0 % of the mask lie outside the region of interest" in caplog.text


def test_a_mask_of_another_size_fails_after_the_others(mask):
    masks = {"a": (picture("other.png", mask[:, :90]), ""), "b": (picture("mask.png", mask), "")}
    with pytest.raises(SlidecafError, match=r"1 of the 2 slides of this job failed \(a\)"):
        job(masks)
    assert read_patch_labels("results/labels/cnn/b.h5", 6).sum() == 2


def test_a_slide_that_was_left_out_has_no_labels(mask):
    job({"a": (picture("mask.png", mask), "")}, {"a": "unreadable"})
    assert len(read_patch_labels("results/labels/cnn/a.h5", 0)) == 0
    assert read_truth("results/labels/cnn/a.h5") is None


def test_a_mask_without_the_value_that_is_meant_is_warned_about_and_its_values_are_kept(mask, caplog):
    with caplog.at_level("WARNING", logger="slidecaf"):
        job({"a": (picture("mask.png", mask), ""), "b": (picture("other.png", mask // 255), "")}, mask_value=1)
    assert "has no pixel of segmentation.mask_value: 1 and holds 0, 255" in caplog.text
    assert "slide 'a'" in caplog.text
    assert "slide 'b'" not in caplog.text
    with open_hdf5("results/labels/cnn/a.h5") as file:
        assert file.attrs["mask_values"] == "0, 255"
    with open_hdf5("results/labels/cnn/b.h5") as file:
        assert "mask_values" not in file.attrs


def test_the_channel_that_is_meant_is_learned(mask):
    tifffile.imwrite("mask.tif", np.stack([255 - mask, mask]), photometric="minisblack", metadata=None)
    job({"a": ("mask.tif", "")}, mask_channel=1)
    assert read_patch_labels("results/labels/cnn/a.h5", 6).tolist() == [True, False, False] * 2

"""Masks of several channels or pages: the one that is meant is taken, and none unless it is named."""

import numpy as np
import pytest
import tifffile

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.masks import mask_strips

HEIGHT, WIDTH = 40, 60
NAMES = ["tissue", "necrosis", "vessel"]
CLASSES = np.random.default_rng(0).random((3, HEIGHT, WIDTH)) < 0.4


def read(path, channel=None, column="mask", **options):
    place = {"slide": "a", "row": 2, "column": column, "width": WIDTH, "height": HEIGHT}
    return np.concatenate(list(mask_strips(path, mask_channel=channel, **place, **options)))


def refused(path, channel=None, column="mask"):
    with pytest.raises(SlidecafError) as raised:
        read(path, channel, column)
    return str(raised.value)


def ome(path, names=NAMES, **options):
    """Write a channel a class, a page each."""
    said = {"axes": "CYX", "Channel": {"Name": names}}
    tifffile.imwrite(path, CLASSES * np.uint8(255), ome=True, photometric="minisblack", metadata=said, **options)
    return path


def pages(path):
    """Write a page a class, of which no file says the names."""
    with tifffile.TiffWriter(path) as file:
        for one in CLASSES:
            file.write(one * np.uint8(1), photometric="minisblack", metadata=None)
            file.write(one[::2, ::2] * np.uint8(1), photometric="minisblack", metadata=None, subfiletype=1)
    return path


def samples(path, planar="contig"):
    """Write a sample a class in one page."""
    stored = (CLASSES if planar == "separate" else np.moveaxis(CLASSES, 0, 2)) * np.uint8(1)
    tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planar, metadata=None)
    return path


@pytest.mark.parametrize("make", [ome, pages, samples, lambda path: samples(path, "separate")])
def test_a_channel_is_taken_by_its_number_and_by_no_guess(tmp_path, make):
    path = make(tmp_path / "m.ome.tif")
    for number, wanted in enumerate(CLASSES):
        np.testing.assert_array_equal(read(path, number), wanted)
    said = refused(path)
    assert "holds 3 channels or pages (0" in said
    assert "set segmentation.mask_channel to the name or number of the one that is meant" in said
    assert "holds no channel 3, as segmentation.mask_channel asks for; write a number of these: 0" in refused(path, 3)


def test_a_channel_is_taken_by_its_name_in_ome_xml(tmp_path):
    path = ome(tmp_path / "m.ome.tif", tile=(16, 16), compression="deflate")
    np.testing.assert_array_equal(read(path, "necrosis"), CLASSES[1])
    assert "(0: tissue, 1: necrosis, 2: vessel)" in refused(path)
    assert "holds no channel 'Necrosis'" in refused(path, "Necrosis")
    assert "holds several channels 'a'" in refused(ome(path, ["a", "a", "b"]), "a")


def test_a_mask_of_hemorrhage_has_one_channel(tmp_path):
    said = refused(ome(tmp_path / "m.ome.tif"), column="hemorrhage")
    assert "save it with one" in said
    assert "mask_channel" not in said


def test_the_only_channel_has_number_0(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", CLASSES[0] * np.uint8(1), photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "m.tif", 0), CLASSES[0])
    assert "holds no channel 'necrosis'" in refused(tmp_path / "m.tif", "necrosis")


@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha", "unspecified"])
def test_a_second_sample_is_alpha_only_where_the_file_says_so(tmp_path, extra):
    stored = np.dstack([CLASSES[0], np.ones_like(CLASSES[0])]) * np.uint8(255)
    tifffile.imwrite(tmp_path / "m.tif", stored, photometric="minisblack", extrasamples=[extra], metadata=None)
    if extra == "unspecified":
        assert "holds 2 channels or pages (0, 1)" in refused(tmp_path / "m.tif")
        np.testing.assert_array_equal(read(tmp_path / "m.tif", 0), CLASSES[0])
    else:
        np.testing.assert_array_equal(read(tmp_path / "m.tif"), CLASSES[0])


def test_a_value_is_sought_in_the_channel_that_is_meant(tmp_path):
    np.testing.assert_array_equal(read(ome(tmp_path / "m.ome.tif"), 2, mask_value=255), CLASSES[2])


def test_images_that_a_file_holds_and_does_not_list_are_refused(tmp_path):
    """ImageJ writes a stack beyond 4 GB with a directory for its first image alone."""
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, CLASSES * np.uint8(255), imagej=True, truncate=True)
    assert "holds 3 images and lists 1; save the one that is meant by itself" in refused(path)
    assert "holds 3 images and lists 1" in refused(path, 0)
    tifffile.imwrite(path, CLASSES * np.uint8(255), photometric="minisblack", truncate=True)
    assert "holds more images than its directories list" in refused(path)
    tifffile.imwrite(path, CLASSES[0] * np.uint8(255), imagej=True)
    np.testing.assert_array_equal(read(path), CLASSES[0])

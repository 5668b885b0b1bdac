from xml.etree import ElementTree

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.segmentation import rasters
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.rasters import read_attributes, read_cells, write_confidence, write_mask

SAYS = {"slide": "a-1", "patch_size": 112, "stride": 8, "threshold": 0.25, "status": "ok", "model": "Größe"}


def case(width, height, *, side=8, seed=0):
    cuts = [np.append(np.arange(0, length, side), length) for length in (width, height)]
    cells = Cells(*cuts)
    values = np.random.default_rng(seed).normal(size=cells.shape).astype(np.float32)
    values[-1, -1] = np.nan
    return cells, values


def pixels(values, cells):
    """Expand cells by a loop over them."""
    whole = np.empty((cells.cuts_y[-1], cells.cuts_x[-1]), values.dtype)
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            whole[slice(*cells.cuts_y[row : row + 2]), slice(*cells.cuts_x[column : column + 2])] = values[row, column]
    return whole


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (1, 700), (700, 1), (100, 30), (512, 512), (513, 511), (1200, 905), (1024, 1536)]
)
def test_a_map_and_a_mask_hold_every_pixel_of_the_slide(tmp_path, width, height):
    cells, values = case(width, height)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.5)
    expected = pixels(values, cells)
    read = tifffile.imread(tmp_path / "c.tif")
    assert (read.dtype, read.shape) == (np.float32, (height, width))
    np.testing.assert_array_equal(read, expected)
    with np.errstate(invalid="ignore"):
        marked = np.where(expected > 0, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), marked)
    for name, mode, shown in (("c.tif", "F", expected), ("m.tif", "L", marked)):
        with Image.open(tmp_path / name) as image:
            assert (image.mode, image.size) == (mode, (width, height))
            np.testing.assert_array_equal(np.asarray(image), shown)


def test_a_mask_opens_as_a_slide(tmp_path):
    cells, values = case(1200, 905)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.25)
    with openslide.OpenSlide(tmp_path / "m.tif") as slide:
        assert slide.dimensions == (1200, 905)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.25)
        region = np.asarray(slide.read_region((300, 400), 0, (900, 505)))
    np.testing.assert_array_equal(region[..., 0], 255 * (pixels(values, cells)[400:, 300:] > 0))


def test_the_layout_is_tiles_and_the_tags_say_what_it_is(tmp_path):
    cells, values = case(1200, 905)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        (page,) = file.pages
        assert (page.tilewidth, page.tilelength, len(page.dataoffsets)) == (512, 512, 6)
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert not file.is_bigtiff
        assert file.is_ome
        assert page.tags["ResolutionUnit"].value == 3  # centimetres
        for tag in ("XResolution", "YResolution"):
            above, below = page.tags[tag].value
            assert above / below == 20_000  # px per cm at 0.5 micrometres
        assert "DateTime" not in page.tags


def test_both_say_what_they_are_made_of(tmp_path):
    cells, values = case(600, 700)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.5)
    assert read_attributes(tmp_path / "c.tif") == read_attributes(tmp_path / "m.tif") == SAYS


@pytest.mark.parametrize("mpp", [0.2527, 1 / 3, None])
def test_a_confidence_map_is_an_ome_tiff_with_its_pixel_size(tmp_path, mpp):
    cells, values = case(1200, 905)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=mpp)
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        root = ElementTree.fromstring(file.ome_metadata)
        assert file.series[0].axes == "YX"
    image = root.find("{*}Image")
    pixels = image.find("{*}Pixels")
    assert image.get("Name") == "a-1"
    wanted = {"Type": "float", "SizeX": "1200", "SizeY": "905", "SizeC": "1", "SizeZ": "1", "SizeT": "1"}
    assert wanted.items() <= pixels.attrib.items()
    for side in ("X", "Y"):
        stated = pixels.get(f"PhysicalSize{side}")
        assert (stated is None) if mpp is None else (float(stated) == mpp)
        assert pixels.get(f"PhysicalSize{side}Unit") == (None if mpp is None else "µm")
    assert pixels.find("{*}Channel").get("Name") == "confidence"
    assert "AcquisitionDate" not in ElementTree.tostring(root, encoding="unicode")  # no time of day


def test_lower_levels_show_the_pixel_in_the_middle_and_the_last_fits_a_tile(tmp_path):
    cells, values = case(1200, 905, side=3)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    whole = pixels(values, cells)
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        levels = file.series[0].levels
        assert [level.shape for level in levels] == [(905, 1200), (453, 600), (227, 300)]
        for number, level in enumerate(levels[1:], start=1):
            rows, columns = (
                np.minimum(np.arange(length) * 2**number + 2 ** (number - 1), full - 1)
                for length, full in zip(level.shape, whole.shape, strict=True)
            )
            np.testing.assert_array_equal(level.asarray(), whole[np.ix_(rows, columns)])
            above, below = level.pages[0].tags["XResolution"].value
            assert 1e4 * below / above == pytest.approx(0.5 * 2**number)


@pytest.mark.parametrize(("width", "height", "side"), [(1, 1, 8), (100, 30, 7), (1200, 905, 8), (700, 1100, 601)])
def test_cells_read_back_as_they_were_written(tmp_path, width, height, side):
    cells, values = case(width, height, side=side)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.5)
    np.testing.assert_array_equal(read_cells(tmp_path / "c.tif", cells), values)
    np.testing.assert_array_equal(read_cells(tmp_path / "m.tif", cells) > 0, values > 0)


def test_cells_of_another_slide_or_a_damaged_file_are_an_error_that_says_what_to_do(tmp_path):
    cells, values = case(600, 700)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.5)
    with pytest.raises(SlidecafError, match=r"m.tif has 600 x 700 px, and its tiles 600 x 708; delete it"):
        read_cells(tmp_path / "m.tif", case(600, 708)[0])
    (tmp_path / "m.tif").write_bytes(b"II*\0 no more")
    for read in (read_attributes, lambda path: read_cells(path, cells)):
        with pytest.raises(SlidecafError, match=r"m.tif is (missing|damaged).*delete it and run again"):
            read(tmp_path / "m.tif")


@pytest.mark.parametrize("mpp", [0.2527, 0.50149, 1 / 3, 31.7])
def test_the_resolution_reads_back_to_the_micrometres_a_pixel(tmp_path, mpp):
    cells, values = case(20, 20)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes={}, mpp=mpp)
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        above, below = file.pages[0].tags["XResolution"].value
    assert 1e4 * below / above == pytest.approx(mpp, rel=1e-6)


def test_without_micrometres_no_unit_is_claimed(tmp_path):
    cells, values = case(20, 20)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=None)
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        tags = file.pages[0].tags
        assert tags["ResolutionUnit"].value == 1 if "ResolutionUnit" in tags else True
    assert "openslide.mpp-x" not in openslide.OpenSlide(tmp_path / "m.tif").properties


def test_a_map_that_is_nan_everywhere_is_kept(tmp_path):
    cells = Cells(np.array([0, 700]), np.array([0, 600]))
    write_confidence(tmp_path / "c.tif", np.full((1, 1), np.nan), cells, attributes={}, mpp=None)
    read = tifffile.imread(tmp_path / "c.tif")
    assert read.shape == (600, 700)
    assert np.isnan(read).all()


@pytest.mark.parametrize("big", [False, True])
def test_written_twice_the_bytes_are_equal_whatever_the_order_of_attributes(tmp_path, monkeypatch, big):
    if big:
        monkeypatch.setattr(rasters, "CLASSIC", 1000)
    cells, values = case(600, 700)
    for write, data in ((write_confidence, values), (write_mask, values > 0)):
        write(tmp_path / "a.tif", data, cells, attributes=SAYS, mpp=0.5)
        write(tmp_path / "b.tif", data, cells, attributes=dict(reversed(SAYS.items())), mpp=0.5)
        assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_file_too_large_for_32_bit_is_a_bigtiff_with_the_same_pixels(tmp_path, monkeypatch):
    cells, values = case(600, 700)
    monkeypatch.setattr(rasters, "CLASSIC", 600 * 700 * 4 - 1)
    write_confidence(tmp_path / "c.tif", values, cells, attributes=SAYS, mpp=0.5)
    write_mask(tmp_path / "m.tif", values > 0, cells, attributes=SAYS, mpp=0.5)
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.asarray(), pixels(values, cells))
    with Image.open(tmp_path / "c.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels(values, cells))


def test_a_write_that_fails_leaves_no_file(tmp_path):
    cells, values = case(600, 700)
    with pytest.raises(TypeError):
        write_confidence(tmp_path / "c.tif", values, cells, attributes={"what": object()}, mpp=None)
    assert not list(tmp_path.iterdir())

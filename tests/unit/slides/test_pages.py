import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tifffile

from slidecaf.slides import LIMITS, Limits, pages
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.colour import Colour
from slidecaf.slides.pages import open_page
from slidecaf.slides.tiff import TiffSlide

LAYOUTS = [
    {},
    {"rowsperstrip": 7, "compression": "lzw"},
    {"tile": (16, 32), "compression": "deflate"},
    {"tile": (16, 16)},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_region_is_what_was_stored_of_any_type_and_number_of_channels(tmp_path, layout, channels, kind, planar):
    rng = np.random.default_rng(channels)
    stored = rng.integers(0, 100, (50, 90, channels)).astype(kind)
    written = stored[..., 0] if channels == 1 else np.moveaxis(stored, 2, 0) if planar == "separate" else stored
    options = {} if channels == 1 else {"planarconfig": planar}
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, written, photometric="minisblack", metadata=None, byteorder=">", **options, **layout)
    with tifffile.TiffFile(path) as tiff:
        page = open_page(tiff.pages.first, tiff.filehandle.fileno(), SegmentCache(2**12), limits=Limits())
        for x, y, width, height in [(0, 0, 90, 50), (0, 10, 90, 3), (17, 33, 1, 1), (15, 15, 40, 35), (80, 40, 10, 10)]:
            region = page.read(x, y, width, height)
            assert region.dtype == kind
            np.testing.assert_array_equal(region, stored[y : y + height, x : x + width])


@pytest.mark.parametrize("layout", LAYOUTS[1:3], ids=str)
def test_bands_in_their_order_decode_nothing_twice(tmp_path, monkeypatch, layout):
    monkeypatch.setattr("slidecaf.slides.pages.BAND_PIXELS", 90 * 3)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((50, 90), np.uint8), metadata=None, **layout)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page, decoded = open_page(tiff.pages.first, tiff.filehandle.fileno(), SegmentCache(0), limits=Limits()), []
        decode = page._decode
        monkeypatch.setattr(page, "_decode", lambda row, column: decoded.append((row, column)) or decode(row, column))
        across, down = page.band
        for top in range(0, 50, down):
            for left in range(0, 90, across):
                page.read(left, top, min(across, 90 - left), min(down, 50 - top))
    assert len(decoded) == len(set(decoded)) == len(tiff.pages.first.dataoffsets)


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"rowsperstrip": 16}])
def test_only_segments_that_a_region_meets_are_decoded_and_none_twice(tmp_path, monkeypatch, layout):
    image = np.random.default_rng(0).integers(0, 256, (256, 320, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", compression="lzw", metadata=None, **layout)
    decoded = []
    with TiffSlide("a", tmp_path / "a.tif", mpp=None) as slide:
        page = slide._pages[0]
        decode = page._decode
        monkeypatch.setattr(page, "_decode", lambda row, column: decoded.append((row, column)) or decode(row, column))
        slide.read(70, 70, 100, 50)
        slide.read(80, 80, 100, 40)
    if "tile" in layout:
        assert sorted(decoded) == [(1, 1), (1, 2)]
    else:
        assert sorted(decoded) == [(row, 0) for row in range(4, 8)]


def test_blocks_are_whole_strips_and_small(tmp_path):
    image = np.zeros((300, 5000), np.uint8)
    for rows, block in ((7, (5000, 833)), (300, (5000, 600))):
        path = tmp_path / f"{rows}.tif"
        tifffile.imwrite(path, image, compression="deflate", rowsperstrip=rows, metadata=None)
        with TiffSlide("a", path, mpp=None) as slide:
            assert slide.levels[0].block == block


@pytest.mark.parametrize("layout", [{"tile": (1024, 1024), "compression": "zstd"}, {"rowsperstrip": 30_000}])
def test_a_plain_30000_by_30000_tiff_is_not_loaded_whole(tmp_path, layout):
    path, side = tmp_path / "large.tif", 30_000
    options = {"shape": (side, side, 3), "dtype": np.uint8, "photometric": "rgb", "metadata": None}
    if "tile" in layout:
        with tifffile.TiffWriter(path) as writer:
            writer.write((np.full((1024, 1024, 3), 90, np.uint8) for _ in range(30 * 30)), **options, **layout)
    else:
        # Only the header is written. The rest of the file is a hole, which reads as zeros.
        tifffile.memmap(path, **options, **layout)
    code = f"""
        import resource
        from slidecaf.slides.tiff import TiffSlide
        with TiffSlide("large", {str(path)!r}, mpp=None) as slide:
            slide.read(0, 0, 500, 500)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for x in range(0, 30_000 - 500, 700):
                region = slide.read(x, 30_000 - 500 - x, 500, 500)
                assert (region == {90 if "tile" in layout else 0}).all()
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    # The slide is 2,575 MiB. The cache holds 128 of them, and a tile or a region is under way.
    assert int(run.stdout) / 1024 < 180


def test_tiles_of_the_same_bytes_are_decoded_once(tmp_path, monkeypatch):
    image = np.full((256, 256, 3), 240, np.uint8)
    image[:64, :64] = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, tile=(64, 64), compression="jpeg", photometric="rgb", metadata=None)
    decoded, once = [], pages.decode
    monkeypatch.setattr(pages, "decode", lambda page, data, index: decoded.append(index) or once(page, data, index))
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        read = open_page(page, tiff.filehandle.fileno(), SegmentCache(2**20), limits=LIMITS, colour=Colour.of(page))
        found = read.read(0, 0, 256, 256)
    assert decoded == [0, 1]
    assert np.abs(found[64:].astype(int) - 240).max() <= 1
    assert found[:64, :64].std() > 30

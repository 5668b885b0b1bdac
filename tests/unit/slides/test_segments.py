import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import tifffile

from slidecaf.slides.segments import SegmentCache
from slidecaf.slides.tiff import TiffSlide


def segment(size):
    return np.zeros(size, np.uint8)


def test_a_segment_is_made_once_and_the_oldest_goes_first():
    cache, made = SegmentCache(limit=10), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or segment(4))

    for key in "ababcba":  # c drops a, which was used before b
        get(key)
    assert made == ["a", "b", "c", "a"]


def test_a_segment_larger_than_the_limit_is_kept_alone():
    cache, made = SegmentCache(limit=10), []
    for _ in range(3):
        assert cache.get("large", lambda: made.append("large") or segment(50)).nbytes == 50
    cache.get("small", lambda: segment(5))
    cache.get("large", lambda: made.append("large") or segment(50))
    assert made == ["large", "large"]


def test_threads_wait_for_a_segment_that_one_of_them_makes():
    cache, made = SegmentCache(limit=10), []

    def make():
        made.append(1)
        time.sleep(0.05)
        return segment(4)

    threads = [threading.Thread(target=cache.get, args=("a", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_segment_that_could_not_be_made_is_tried_again():
    cache = SegmentCache(limit=10)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: segment(4)).nbytes == 4


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

import threading

import numpy as np
import pytest
import tifffile
from openslide import OpenSlide

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide
from slidecaf.slides.openslide import OpenSlideSlide
from tests.dicom import write_slide
from tests.unit.scanned import write_scn


def rgb(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def write_pyramid(path, *levels, **options):
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "jpeg", "metadata": None, **options}
    with tifffile.TiffWriter(path) as writer:
        for index, level in enumerate(levels):
            writer.write(level, subfiletype=int(index > 0), **options)
    return path


def damage_tile(path, index):
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        offset, count = page.dataoffsets[index], page.databytecounts[index]
    content = bytearray(path.read_bytes())
    content[offset : offset + count] = bytes(count)
    path.write_bytes(content)


def test_pixels_are_those_of_openslide(shared_data):
    path = shared_data / "slides" / "cmu-1-small-region.svs"
    with open_slide(path) as slide, OpenSlide(path) as handle:
        region = slide.read(1000, 1500, 300, 200)
        np.testing.assert_array_equal(region, np.array(handle.read_region((1000, 1500), 0, (300, 200)))[..., :3])
        assert region.flags.c_contiguous
        assert region.flags.writeable
        assert (slide.name, slide.mpp, slide.magnification) == ("cmu-1-small-region", 0.499, 20)
        assert [(level.width, level.height, level.downsample) for level in slide.levels] == [(2220, 2967, 1)]
        assert slide.levels[0].block == (960, 960)  # its tiles have 240 px


def test_a_slide_without_resolution_has_none_unless_the_sheet_gives_it(shared_data):
    path = shared_data / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    with open_slide(path) as slide:
        assert (slide.mpp, slide.magnification) == (None, None)
        assert [(level.width, level.height) for level in slide.levels] == [(4443, 3567), (2221, 1783)]
        last = slide.read(2220, 1782, 1, 1, 1)
    with open_slide(path, mpp=0.25) as slide:
        assert slide.mpp == 0.25
        assert slide.read_padded(2220, 1782, 2, 2, 1).shape == (2, 2, 3)
    assert last.shape == (1, 1, 3)


def test_the_resolution_of_prints_is_none_of_a_slide(shared_data):
    with open_slide(shared_data / "slides" / "boxes.tiff") as slide:
        assert slide.mpp is None  # the file says 353 micrometres
        assert len(slide.levels) == 4


def test_a_slide_of_16_pixels_is_padded_to_any_size(shared_data):
    with open_slide(shared_data / "slides" / "small.svs") as slide:
        whole = slide.read(0, 0, 16, 16)
        padded = slide.read_padded(0, 0, 336, 336)
    np.testing.assert_array_equal(padded, np.pad(whole, ((0, 320), (0, 320), (0, 0)), mode="reflect"))


@pytest.mark.parametrize("name", ["broken.svs", "unopenable.tiff"])
def test_a_file_that_cannot_be_opened_is_an_error_that_names_it(shared_data, name):
    with pytest.raises(SlideError, match=f"slide case-1: .*{name}"):
        open_slide(shared_data / "slides" / name, name="case-1")


def test_a_slide_that_openslide_knows_and_cannot_open_is_not_tried_otherwise(shared_data, tmp_path):
    content = (shared_data / "slides" / "small.svs").read_bytes()
    path = tmp_path / "half.svs"
    # The description stays, so that OpenSlide knows the format; the tiles' width is made nonsense.
    with tifffile.TiffFile(shared_data / "slides" / "small.svs") as tiff:
        place = tiff.pages[0].tags["Compression"].valueoffset
    path.write_bytes(content[:place] + b"\xff\xcc" + content[place + 2 :])
    assert OpenSlide.detect_format(path) == "aperio"
    with pytest.raises(SlideError, match=r"slide half: .*half\.svs: cannot be opened"):
        open_slide(path)


def test_a_slide_whose_pixels_cannot_be_read_opens_and_names_itself_at_reading(shared_data):
    with open_slide(shared_data / "slides" / "unreadable.svs") as slide:
        for _ in range(2):
            with pytest.raises(SlideError, match=r"slide unreadable: .*16 x 16 px at \(0, 0\) of level 0 cannot be"):
                slide.read(0, 0, 16, 16)


def test_after_a_region_that_cannot_be_read_others_still_are(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", rgb(256, 256))
    with open_slide(path) as slide:
        good = slide.read(0, 128, 256, 128)
    damage_tile(path, 0)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        for _ in range(3):
            with pytest.raises(SlideError, match="slide a"):
                slide.read(0, 0, 65, 65)
            np.testing.assert_array_equal(slide.read(0, 128, 256, 128), good)


def test_threads_read_on_while_one_meets_a_damaged_tile(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", rgb(512, 512))
    with open_slide(path) as slide:
        good = slide.read(0, 64, 512, 448)
    damage_tile(path, 0)
    wrong, failures = [], []
    with open_slide(path) as slide:

        def read_good(seed):
            rng = np.random.default_rng(seed)
            for _ in range(40):
                x, y = (int(place) for place in rng.integers(0, (412, 348)))
                if not np.array_equal(slide.read(x, 64 + y, 100, 100), good[y : y + 100, x : x + 100]):
                    wrong.append((x, y))

        def read_damaged():
            for _ in range(40):
                try:
                    slide.read(0, 0, 64, 64)
                except SlideError as error:
                    failures.append(error)

        threads = [threading.Thread(target=read_good, args=(seed,)) for seed in range(3)]
        threads.append(threading.Thread(target=read_damaged))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert len(failures) == 40


def test_levels_are_read_in_their_own_pixels(tmp_path):
    levels = [rgb(400, 600)]
    levels += [levels[0][::2, ::2], levels[0][::8, ::8]]
    with open_slide(write_pyramid(tmp_path / "a.tif", *levels, compression="deflate")) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert [level.downsample for level in slide.levels] == [1, 2, 8]
        for index, level in enumerate(levels):
            np.testing.assert_array_equal(slide.read(7, 5, 40, 30, index), level[5:35, 7:47])


def test_a_level_of_no_whole_downsample_is_off_by_less_than_a_pixel_and_never_beyond_the_border(tmp_path):
    across = np.broadcast_to(np.linspace(0, 200, 1001)[None, :, None], (701, 1001, 3)).round().astype(np.uint8)
    level = across[: 4 * 175 : 4, : 4 * 250 : 4]
    with open_slide(write_pyramid(tmp_path / "a.tif", across, level, compression="deflate")) as slide:
        downsample = slide.levels[1].downsample
        assert downsample == pytest.approx(4.005, abs=0.002)
        for x in range(0, 250, 13):
            region = slide.read(x, 0, min(20, 250 - x), 175, 1).astype(int)
            assert np.abs(region - level[:, x : x + 20]).max() <= 2
        assert slide.read(230, 155, 20, 20, 1).max() <= 200  # beyond the border all would be white


def test_what_openslide_has_transparent_is_white(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        tiles = iter([np.full((64, 64, 3), 50, np.uint8), None])
        options = {"shape": (64, 128, 3), "dtype": np.uint8, "tile": (64, 64), "compression": "deflate"}
        writer.write(tiles, photometric="rgb", metadata=None, **options)
    with open_slide(tmp_path / "a.tif") as slide:
        region = slide.read(0, 0, 128, 64)
    assert isinstance(slide, OpenSlideSlide)
    assert (region[:, :64] == 50).all()
    assert (region[:, 64:] == 255).all()


def test_a_folder_of_dicom_files_is_a_slide(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)
    file = write_slide(tmp_path / "d", pixels, spacing=0.25)
    for path in (file, tmp_path / "d/level-2.dcm", tmp_path / "d"):
        with open_slide(path) as slide:
            assert [(level.width, level.height) for level in slide.levels] == [(90, 70), (45, 35)]
            assert slide.file_mpp == pytest.approx((0.25, 0.25))
            np.testing.assert_array_equal(slide.read(0, 0, 90, 70), pixels)
    write_slide(tmp_path / "d", pixels, series="1.2.3.9", stem="other")
    with pytest.raises(SlideError, match=r"d holds 2 DICOM series; write a file of the one.*level-1.dcm, other-1.dcm"):
        open_slide(tmp_path / "d")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SlideError, match="empty is a folder without a DICOM file"):
        open_slide(tmp_path / "empty")


def test_bounds_are_what_the_file_says_was_scanned(tmp_path, shared_data):
    path = write_scn(tmp_path / "a.scn", np.full((200, 300, 3), 90, np.uint8), (640, 480), (100, 70))
    with open_slide(path) as slide:
        assert (slide.width, slide.height) == (640, 480)
        assert slide.bounds == (100, 70, 300, 200)
        dark = slide.read(0, 0, 640, 480).max(axis=2) < 200
    assert dark[70:270, 100:400].all()
    assert dark.sum() == 200 * 300
    with open_slide(shared_data / "slides" / "cmu-1-small-region.svs") as slide:
        assert slide.bounds == (0, 0, 2220, 2967)

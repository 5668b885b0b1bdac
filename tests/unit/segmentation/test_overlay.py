import logging
import tracemalloc
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidecaf.demo import write_slide
from slidecaf.errors import SlideError
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.masks import mask_strips
from slidecaf.segmentation.overlay import (
    FALSE,
    MISSED,
    PREDICTED,
    TRUE,
    UNREAD,
    overlay,
)
from slidecaf.slides import Level, Slide, open_slide
from slidecaf.slides import thumbnail as thumbnail_module
from slidecaf.slides.thumbnail import thumbnail, write_jpeg


class Drawn(Slide):
    """A slide of one level, made of an array; it notes what is read, and fails where told to."""

    def __init__(self, rgb, *, block=(16, 8), broken=()):
        super().__init__("drawn", "drawn.tif", [Level(rgb.shape[1], rgb.shape[0], 1.0, block)], mpp=None)
        self.rgb, self.broken, self.regions = rgb, broken, []

    def _release(self):
        pass

    def _read(self, x, y, width, height, level):
        self.regions.append((x, y, width, height))
        if (x, y) in self.broken:
            raise OSError("a broken tile")
        return self.rgb[y : y + height, x : x + width].copy()


def white(width, height, **options):
    return Drawn(np.full((height, width, 3), 255, np.uint8), **options)


def noise(width, height):
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3)).astype(np.uint8)


def cells(width, height, side):
    return Cells(*(np.append(np.arange(0, length, side), length) for length in (width, height)))


def laid_over(paper, mark):
    """Lay 45 % of a colour over a grey."""
    return tuple((55 * paper + 45 * channel + 50) // 100 for channel in mark.fill)


def legend(picture, height):
    return np.asarray(picture)[height:]


def shows(area, colour):
    """Tell whether there is a box of a colour; single pixels of it may be the rim of a letter."""
    return (area == colour).all(axis=2).sum() > 80


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.integers(1, 30), st.integers(1, 30))
def test_a_thumbnail_is_the_mean_of_each_pixels_share_of_the_slide(width, height, longest, across, down):
    rgb = noise(width, height)
    small = thumbnail(Drawn(rgb, block=(across, down)), longest)
    scale = min(1, longest / max(width, height))
    assert small.shape == (max(1, round(height * scale)), max(1, round(width * scale)), 3)
    for y, x in np.ndindex(small.shape[:2]):
        # from the nearest whole px to the next; a half goes up
        top, bottom = (floor(place * height / small.shape[0] + 0.5) for place in (y, y + 1))
        left, right = (floor(place * width / small.shape[1] + 0.5) for place in (x, x + 1))
        mean = rgb[top:bottom, left:right].reshape(-1, 3).mean(axis=0)
        assert np.abs(small[y, x] - mean).max() <= 0.5


def test_a_slide_that_is_small_enough_is_not_changed():
    rgb = noise(40, 30)
    np.testing.assert_array_equal(thumbnail(Drawn(rgb)), rgb)


def test_a_thumbnail_of_half_the_size_agrees_with_pillow():
    rgb = noise(80, 60)
    expected = np.asarray(Image.fromarray(rgb).reduce(2), int)
    np.testing.assert_allclose(thumbnail(Drawn(rgb), 40), expected, atol=1)


def test_a_slide_is_read_by_blocks_and_each_pixel_once():
    slide = white(100, 50, block=(16, 8))
    thumbnail(slide, 10)
    seen = np.zeros((50, 100), int)
    for x, y, width, height in slide.regions:
        assert width <= 16
        assert height <= 8
        seen[y : y + height, x : x + width] += 1
    assert (seen == 1).all()


def test_a_large_slide_of_one_level_is_not_held_whole():
    class Large(Drawn):
        def _read(self, x, y, width, height, level):
            return np.full((height, width, 3), 200, np.uint8)

    slide = Large(np.broadcast_to(np.uint8(200), (5000, 5000, 3)), block=(512, 512))
    grid = cells(5000, 5000, 50)
    predicted = np.zeros(grid.shape, bool)
    strips = (np.zeros((100, 5000), bool) for _ in range(50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnail_module, "LONGEST", 200)
        tracemalloc.start()
        overlay(slide, grid, predicted, strips, title="large")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6  # the slide has 75 MB, its mask 25


def test_a_thumbnail_is_read_from_the_coarsest_level_that_is_fine_enough(tmp_path):
    rgb = np.repeat(np.repeat(noise(20, 16), 32, axis=0), 32, axis=1)
    write_slide(tmp_path / "a.tiff", rgb, tile=128, quality=None)
    with open_slide(tmp_path / "a.tiff") as slide:
        assert [level.width for level in slide.levels] == [640, 320, 160, 80]
        levels, read = set(), slide._read
        slide._read = lambda x, y, width, height, level: levels.add(level) or read(x, y, width, height, level)
        for longest, level in ((640, 0), (500, 0), (320, 1), (200, 1), (160, 2), (20, 3)):
            levels.clear()
            small = thumbnail(slide, longest)
            assert (max(small.shape), levels) == (longest, {level})
        np.testing.assert_array_equal(small, rgb[::32, ::32])


def test_what_cannot_be_read_is_grey_and_said(caplog):
    rgb = noise(32, 16)
    slide = Drawn(rgb, broken=[(16, 8)])
    expected = rgb.copy()
    expected[8:, 16:] = UNREAD.fill
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(thumbnail(slide), expected)
    assert "slide drawn: drawn.tif: 16 x 8 px at (16, 8) of level 0 cannot be read (a broken tile)" in caplog.text
    grid = cells(32, 16, 8)
    nothing = np.zeros(grid.shape, bool)
    assert shows(legend(overlay(slide, grid, nothing, None, title="a"), 16), UNREAD.fill)
    assert not shows(legend(overlay(Drawn(rgb), grid, nothing, None, title="a"), 16), UNREAD.fill)


def test_pixels_that_are_partly_read_are_the_mean_of_what_was_read():
    rgb = noise(32, 16)
    small = thumbnail(Drawn(rgb, block=(12, 16), broken=[(12, 0)]), 4)  # of 8 px each; 12 to 23 are missing
    np.testing.assert_allclose(small[0, 1], rgb[:8, 8:12].reshape(-1, 3).mean(axis=0), atol=0.5)
    np.testing.assert_array_equal(small[:, 2], [UNREAD.fill] * 2)


def test_a_slide_of_which_nothing_can_be_read_is_an_error(shared_data):
    with pytest.raises(SlideError, match="a broken tile"):
        thumbnail(white(16, 8, broken=[(0, 0)]))
    with open_slide(shared_data / "slides" / "unreadable.svs") as slide, pytest.raises(SlideError, match="unreadable"):
        thumbnail(slide)


def test_each_class_has_its_colour_and_the_rest_is_the_slide():
    grid = cells(60, 40, 20)
    predicted = np.array([[True, True, False], [False, False, False]])
    truth = np.zeros((40, 60), bool)
    truth[:, :20] = True
    picture = np.asarray(overlay(white(60, 40), grid, predicted, [truth], title="a"))
    expected = {(10, 10): TRUE, (10, 30): MISSED, (30, 10): FALSE}
    for (x, y), mark in expected.items():
        assert tuple(picture[y, x]) == laid_over(255, mark)
        # Outlines lie inside, where another class or none begins, and not along the slide's border.
    assert tuple(picture[10, 19]) == TRUE.outline
    assert tuple(picture[19, 10]) == TRUE.outline
    assert tuple(picture[20, 10]) == MISSED.outline
    assert tuple(picture[10, 20]) == tuple(picture[10, 39]) == FALSE.outline
    assert tuple(picture[10, 0]) == laid_over(255, TRUE)
    assert (picture[:40, 40:60] == 255).all()
    assert (picture[20:40, 20:60] == 255).all()


def test_tissue_is_seen_through_the_colours():
    rgb = noise(40, 40)
    picture = np.asarray(overlay(Drawn(rgb), cells(40, 40, 40), np.ones((1, 1), bool), None, title="a"))
    for y, x in ((5, 5), (20, 33)):
        for channel in range(3):
            mixed = 0.55 * rgb[y, x, channel] + 0.45 * PREDICTED.fill[channel]
            assert abs(int(picture[y, x, channel]) - mixed) <= 0.5


def test_without_a_mask_the_prediction_is_blue_and_the_legend_names_nothing_else():
    grid = cells(60, 40, 20)
    predicted = np.array([[False, True, False], [False, True, False]])
    picture = overlay(white(60, 40), grid, predicted, None, title="a")
    assert picture.getpixel((30, 10)) == laid_over(255, PREDICTED)
    assert picture.getpixel((10, 10)) == (255, 255, 255)
    below = legend(picture, 40)
    assert shows(below, PREDICTED.fill)
    assert not any(shows(below, mark.fill) for mark in (TRUE, MISSED, FALSE))
    empty = [np.zeros((40, 60), bool)]
    below = legend(overlay(white(60, 40), grid, predicted, empty, title="a"), 40)
    assert all(shows(below, mark.fill) for mark in (TRUE, MISSED, FALSE))
    assert not shows(below, PREDICTED.fill)


def test_a_pixel_is_marked_where_more_than_half_of_it_is(monkeypatch):
    monkeypatch.setattr(thumbnail_module, "LONGEST", 20)
    truth = np.zeros((40, 40), bool)
    truth[0:20:2], truth[20::2] = True, True
    truth[1:20:2, ::2] = True  # three of four pixels above, two of four below
    picture = overlay(white(40, 40), cells(40, 40, 40), np.zeros((1, 1), bool), [truth], title="a")
    marked = (np.asarray(picture)[:20, :20] != 255).any(axis=2)
    np.testing.assert_array_equal(marked, np.arange(20)[:, None] < np.full(20, 10))


@settings(max_examples=15)
@given(st.data())
def test_the_heights_of_strips_do_not_matter(data):
    width, height, side = (data.draw(st.integers(1, 50)) for _ in range(3))
    rng = np.random.default_rng(width)
    grid = cells(width, height, side)
    predicted, truth = rng.random(grid.shape) < 0.5, rng.random((height, width)) < 0.5
    starts = sorted(data.draw(st.sets(st.integers(1, height), max_size=5)) - {height})
    slide = Drawn(noise(width, height))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnail_module, "LONGEST", data.draw(st.integers(1, 50)))
        whole = overlay(slide, grid, predicted, [truth], title="a")
        cut = overlay(slide, grid, predicted, np.split(truth, starts), title="a")
    np.testing.assert_array_equal(np.asarray(whole), np.asarray(cut))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (100, 60), (100, 1500), (1600, 3), (2000, 1000)])
@pytest.mark.parametrize(
    "title", ["a", "s-" + 126 * "W" + ", hard, S = 0.71 " + 30 * "random weights "], ids=["a", "long"]
)
def test_the_legend_fits_below_a_slide_of_any_size(width, height, title):
    slide = white(width, height, block=(1024, 1024))
    shown = thumbnail(slide)
    grid = cells(width, height, 500)
    picture = overlay(slide, grid, np.zeros(grid.shape, bool), [np.zeros((height, width), bool)], title=title)
    np.testing.assert_array_equal(np.asarray(picture)[: shown.shape[0], : shown.shape[1]], shown)
    assert picture.width == max(480, shown.shape[1])
    below = legend(picture, shown.shape[0])
    paper = below[0, 0]
    border = [below[0], below[-1], below[:, 0], below[:, -1]]
    assert all((side == paper).all() for side in border)
    assert (below.sum(axis=2) < 150).sum() > 200  # written in dark ink


def test_the_title_is_in_the_legend_and_may_have_lines():
    def drawn(title):
        return legend(overlay(white(600, 20), cells(600, 20, 20), np.zeros((1, 30), bool), None, title=title), 20)

    one, other, two = drawn("slide, plain, S = 0.71"), drawn("slide, plain, S = 0.72"), drawn("slide\nplain")
    assert (one != other).any()
    assert one.shape == other.shape
    assert two.shape[0] > one.shape[0]
    long, other = 40 * "e", 40 * "n"  # one fits the width, two do not
    np.testing.assert_array_equal(drawn(f"{long} {other} {long}"), drawn(f"{long}\n{other}\n{long}"))
    assert drawn(100 * "e").shape == drawn("e\ne").shape


def test_a_real_section_is_unchanged_where_nothing_is_marked(shared_data):
    folder, name = shared_data / "gbm_necrosis", "W3-1-1-A.2.02.png"
    truth = np.array(Image.open(folder / "masks" / name)) > 0
    grid = cells(1024, 1024, 8)
    predicted = np.roll(truth[4::8, 4::8], (8, 11), (0, 1))
    found = np.repeat(np.repeat(predicted, 8, axis=0), 8, axis=1)
    strips = mask_strips(folder / "masks" / name, slide="a", row=2, column="mask", width=1024, height=1024)
    with open_slide(folder / "images" / name) as slide:
        picture = np.asarray(overlay(slide, grid, predicted, strips, title="W3-1-1-A.2.02, plain"))[:1024]
        rgb = slide.read(0, 0, 1024, 1024)
    np.testing.assert_array_equal(picture[~truth & ~found], rgb[~truth & ~found])
    for mark, where in ((TRUE, truth & found), (MISSED, truth & ~found), (FALSE, found & ~truth)):
        outlined = (picture[where] == mark.outline).all(axis=1)
        tinted = 0.55 * rgb[where] + 0.45 * np.array(mark.fill)
        assert where.any()
        assert (outlined | (np.abs(picture[where] - tinted).max(axis=1) <= 0.5)).all()


def test_a_real_pyramid_is_drawn_at_a_viewable_size(shared_data):
    with open_slide(shared_data / "slides" / "boxes.tiff") as slide:
        assert thumbnail(slide, 100).shape[1] == 100
    with open_slide(shared_data / "slides" / "tcga-cr-7395-01a-01-ts1.svs") as slide:
        small = thumbnail(slide, 400)
        whole = np.asarray(
            Image.fromarray(slide.read(0, 0, 2221, 1783, 1)).resize((400, 321), Image.Resampling.BOX), int
        )
    assert small.shape == (321, 400, 3)
    assert np.abs(small - whole).mean() < 2


def test_jpeg_holds_pixels_of_quality_90_and_nothing_else(tmp_path):
    picture = Image.fromarray(noise(64, 48))
    picture.info.update(comment=b"secret", icc_profile=b"secret", dpi=(300, 300))
    for name in ("a.jpg", "b.jpg"):
        write_jpeg(tmp_path / name, picture)
    content = (tmp_path / "a.jpg").read_bytes()
    assert content == (tmp_path / "b.jpg").read_bytes()
    assert b"secret" not in content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]
    Image.fromarray(noise(8, 8)).save(tmp_path / "c.jpg", quality=90)
    with Image.open(tmp_path / "a.jpg") as read, Image.open(tmp_path / "c.jpg") as plain:
        assert read.size == picture.size
        assert read.quantization == plain.quantization
        assert set(read.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert read.getexif() == {}
        assert [kind for kind, _ in read.applist] == ["APP0"]

"""Stain normalisation, held against formulas written out and scikit-image's colours."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide, stain
from slidecaf.slides.lab import to_lab, to_rgb
from slidecaf.slides.stain import Macenko, Reinhard
from tests.unit.batch_jobs import picture

HAEMATOXYLIN, EOSIN = np.array([0.65, 0.70, 0.29]), np.array([0.17, 0.83, 0.53])


def stained(seed=0, stains=(HAEMATOXYLIN, EOSIN), strength=(1.0, 1.0), shape=(60, 80)):
    """A section drawn by Beer and Lambert's law: light of 256 after unit stains in gamma-distributed amounts."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2, 0.35, (*shape, 2)) * strength
    amounts[rng.random(shape) < 0.05, 1] = 0  # some pixels with one stain alone
    amounts[rng.random(shape) < 0.05, 0] = 0
    unit = np.array([one / np.linalg.norm(one) for one in stains])
    return np.clip(np.rint(256 * np.exp(-amounts @ unit) - 1), 0, 255).astype(np.uint8)


@pytest.fixture
def slide(tmp_path):
    def opened(pixels, name="a"):
        return open_slide(picture(tmp_path / f"{name}.png", pixels), name=name)

    return opened


def test_colours_are_scikit_images_and_come_back():
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    pixels = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    np.testing.assert_allclose(np.stack(to_lab(pixels), axis=-1), rgb2lab(pixels), atol=0.02)
    np.testing.assert_array_equal(to_rgb(*to_lab(pixels)), pixels)


def test_colours_that_srgb_does_not_reach_are_cut_off():
    low, high = (np.full(3, value, np.float32) for value in (-200, 200))
    assert to_rgb(low, low, low).max() <= 255
    assert (to_rgb(high, low * 0, low * 0) == 255).all()


def test_reinhard_fits_mean_and_deviation_of_the_tissue(slide):
    pixels = stained()
    pixels[:10] = 245  # glass
    pixels[10:12] = 3  # black padding
    pixels[12] = (250, 130, 170)  # pale eosin: bright in red alone
    found = stain.fit(slide(pixels), "reinhard")
    tissue = stain.tissue(pixels, "reinhard")
    own = rgb2lab(pixels)[tissue]
    assert not tissue[:12].any()
    assert tissue[12].all()
    assert not stain.tissue(pixels, "macenko")[:13].any()
    np.testing.assert_allclose(found.mean, own.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.deviation, own.std(axis=0), atol=0.02)


def test_reinhard_gives_each_channel_the_targets_mean_and_deviation():
    pixels = stained()
    own = Reinhard.fit(pixels.reshape(-1, 3))
    target = Reinhard(own.mean + np.array([4, -3, 2]), own.deviation * np.array([0.7, 0.9, 0.8]))
    changed = own.to(target)(pixels)
    lab = rgb2lab(pixels)
    expected = (lab - own.mean) / own.deviation * target.deviation + target.mean
    inside = ((changed > 0) & (changed < 255)).all(axis=2)  # what sRGB reaches
    np.testing.assert_allclose(rgb2lab(changed)[inside], expected[inside], atol=0.8)  # whole values of R, G and B
    assert inside.mean() > 0.9


def test_macenko_finds_the_stains_that_a_section_is_drawn_with():
    pixels = stained(shape=(200, 200)).reshape(-1, 3)
    found = Macenko.fit(pixels[stain.tissue(pixels, "macenko")])
    for one, wanted in zip(found.stains, (HAEMATOXYLIN, EOSIN), strict=True):
        np.testing.assert_allclose(one, wanted / np.linalg.norm(wanted), atol=0.04)


def test_macenko_shows_amounts_in_the_targets_stains():
    """Two sections of the same amounts: the second by other stains, and stronger. The formula, pixel by pixel."""
    pixels, other = (
        stained().reshape(-1, 3),
        stained(1, ((0.55, 0.75, 0.4), (0.1, 0.75, 0.6)), (1.2, 0.9)).reshape(-1, 3),
    )
    own, target = Macenko.fit(pixels), Macenko.fit(other)
    changed = own.to(target)(pixels)
    density = -np.log((pixels.astype(float) + 1) / 256)
    amounts = np.stack([np.linalg.lstsq(own.stains.T, one, rcond=None)[0] for one in density])
    shown = 256 * np.exp(-(amounts * target.amounts / own.amounts) @ target.stains) - 1
    np.testing.assert_allclose(changed, np.clip(shown, 0, 255), atol=0.51)


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
def test_a_slide_made_to_look_like_itself_stays_as_it_is(slide, method):
    pixels = stained()
    opened = slide(pixels)
    stain.normalise(opened, stain.fit(opened, method), method)
    changed = opened.read(0, 0, 80, 60).astype(int)
    assert np.abs(changed - pixels).max() <= (1 if method == "reinhard" else 3)  # two stains do not hold rounding


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
def test_every_pixel_is_changed_by_itself_in_whatever_region_it_is_read(slide, method, monkeypatch):
    target = stain.fit(slide(stained(1, strength=(1.3, 0.8)), "target"), method)
    opened = slide(stained())
    found = stain.normalise(opened, target, method)
    whole = opened.read(0, 0, 80, 60)
    monkeypatch.setattr(stain, "STRIP", 7)
    np.testing.assert_array_equal(opened.read(11, 5, 23, 17), whole[5:22, 11:34])
    np.testing.assert_array_equal(opened.read_padded(-4, -2, 10, 10)[2:, 4:], whole[:8, :6])
    assert stain.described(found) == stain.described(stain.fit(slide(stained()), method))  # the slide alone, as stored


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.full((60, 80, 3), 240, np.uint8), "0 px of 80 x 60 at low resolution are stained tissue"),
        (np.full((60, 80, 3), (180, 90, 160), np.uint8), "its tissue has one colour"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_of_that_slide(slide, method, pixels, said):
    with pytest.raises(
        SlideError, match=f"slide bad: .*bad.png: its stain cannot be fitted by {method} .*{said}"
    ) as one:
        stain.fit(slide(pixels, "bad"), method)
    assert "take image.stain out of the feature set" in str(one.value)


def test_grey_tissue_has_no_two_stains(slide):
    grey = np.repeat(np.random.default_rng(0).integers(70, 200, (60, 80, 1), dtype=np.uint8), 3, axis=2)
    with pytest.raises(SlideError, match="its tissue has one colour"):
        stain.fit(slide(grey), "macenko")

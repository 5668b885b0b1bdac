import numpy as np
import pytest
from scipy import ndimage

from slidecaf.demo import SLIDES, DemoSlide, draw_slide

GBM = DemoSlide("gbm-x", "GBM", "patient-x", "train", 0.15)
LGG = DemoSlide("lgg-x", "LGG", "patient-x", "train")


@pytest.fixture(scope="module")
def gbm():
    return draw_slide(GBM, size=1000)


@pytest.fixture(scope="module")
def lgg():
    return draw_slide(LGG, size=1000)


def test_a_slide_is_drawn_again_alike_and_otherwise_with_another_seed(gbm):
    again, other = draw_slide(GBM, size=1000), draw_slide(GBM, size=1000, seed=1)
    for first, second in zip(gbm, again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (gbm[0] != other[0]).mean() > 0.5


def test_sides_are_as_asked_for_or_vary_between_1900_and_2300():
    for size in (400, 701):
        rgb, necrosis, hemorrhage = draw_slide(GBM, size=size)
        assert rgb.shape == (size, size, 3)
        assert rgb.dtype == np.uint8
        assert necrosis.shape == hemorrhage.shape == (size, size)
        assert necrosis.dtype == hemorrhage.dtype == bool
    sides = draw_slide(SLIDES[0])[1].shape
    assert all(1900 <= side <= 2300 for side in sides)


@pytest.mark.parametrize("drawn", ["gbm", "lgg"])
def test_the_margin_is_white_but_not_pure_white(drawn, request):
    rgb = request.getfixturevalue(drawn)[0]
    border = np.concatenate([rgb[:8].reshape(-1, 3), rgb[-8:].reshape(-1, 3), rgb[:, :8].reshape(-1, 3)])
    assert border.min() > 225
    assert border.max() < 255
    assert border.std(0).min() > 0.5
    assert 0.35 < (rgb <= 200).any(2).mean() < 0.8


def test_necrosis_has_the_share_asked_for_and_lies_in_tissue(gbm, lgg):
    rgb, necrosis, hemorrhage = gbm
    assert abs(necrosis.mean() - 0.15) < 0.01
    assert ndimage.uniform_filter((rgb <= 200).any(2).astype(float), 31)[necrosis].min() > 0.05
    assert not lgg[1].any()
    assert 0.1 < (hemorrhage & necrosis).sum() / necrosis.sum() < 0.5


def test_necrosis_is_pale_and_hemorrhage_is_red(gbm):
    rgb, necrosis, hemorrhage = (layer.astype(int) for layer in gbm)
    pale, red = (necrosis & ~hemorrhage) > 0, hemorrhage > 0
    living = (rgb <= 200).any(2) & ~pale & ~red
    assert rgb[pale, 0].mean() > rgb[living, 0].mean() + 10
    assert (rgb[red, 0] - rgb[red, 1]).mean() > (rgb[living, 0] - rgb[living, 1]).mean() + 40


def test_nuclei_are_of_uneven_size_in_gbm_and_even_in_lgg(gbm, lgg):
    uneven = {}
    for name, (rgb, necrosis, hemorrhage) in (("gbm", gbm), ("lgg", lgg)):
        red = ndimage.gaussian_filter(rgb[..., 0].astype(float), 1.5)
        living = (rgb <= 200).any(2) & ~necrosis & ~hemorrhage
        dark = living & (red < red[living].mean() - 1.2 * red[living].std())
        labelled, count = ndimage.label(dark)
        areas = ndimage.sum_labels(dark, labelled, range(1, count + 1))
        areas = areas[areas > 40]
        assert len(areas) > 100
        uneven[name] = areas.std() / areas.mean()
    assert uneven["lgg"] < 0.7
    assert uneven["gbm"] > 1.5 * uneven["lgg"]


def test_a_slide_without_necrosis_has_none():
    rgb, necrosis, _ = draw_slide(DemoSlide("gbm-y", "GBM", "patient-y", "train"), size=500)
    assert not necrosis.any()
    assert (rgb <= 200).any()

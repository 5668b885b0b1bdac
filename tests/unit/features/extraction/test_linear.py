"""Linear models that judge features on a device say what they say of features on a CPU."""

import numpy as np
import pytest
import torch

from slidecaf.features.extraction import dense, linear, patchwise
from slidecaf.features.extraction.linear import Linear
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.segmentation.maps import ConfidenceWriter, JudgedWriter
from tests.unit.features.extraction.test_dense import ArraySlide, encoder_of, grid, picture

CPU = torch.device("cpu")


def judged(module, slide, coords, encoder, models, *, head, **sizes):
    coef, intercept = models
    writer = (JudgedWriter if head else ConfidenceWriter)(len(coords), coef, intercept)
    with Pipeline(2, CPU, head=Linear(coef, intercept, CPU) if head else None) as pipeline:
        write = module.begin(slide, coords, encoder, pipeline, **sizes)
        unreadable = write(writer, max_unreadable=1.0, advance=lambda count: None)
    return writer, unreadable


@pytest.mark.parametrize("way", ["patchwise", "dense"])
def test_a_slide_is_judged_on_the_device_as_from_its_features(monkeypatch, way):
    monkeypatch.setattr(linear, "ROWS", 50)
    slide = ArraySlide(picture(300, 420), bad=lambda x, y, w, h: x <= 200 < x + w and y <= 100 < y + h)
    encoder = encoder_of()
    rng = np.random.default_rng(0)
    models = rng.normal(size=(3, encoder.dimension)), rng.normal(size=3)
    if way == "dense":
        coords, how = grid(420, 300, 8), {"module": dense, "patch_size": 40, "stride": 8, "stride_level0": 8.0}
        how["block"] = 12
    else:
        coords, how = grid(420, 300, 32), {"module": patchwise, "patch_size": 40, "patch_size_level0": 40}
        how["batch_size"] = 8
    expected, few = judged(slide=slide, coords=coords, encoder=encoder, models=models, head=False, **how)
    found, same = judged(slide=slide, coords=coords, encoder=encoder, models=models, head=True, **how)
    assert 0 < few == same < len(coords)
    assert np.isnan(found.values).sum() == 3 * few
    np.testing.assert_array_max_ulp(found.values[~np.isnan(found.values)], expected.values[~np.isnan(expected.values)])
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(expected.values))
    assert (found.nonzero, found.written) == (expected.nonzero, expected.written)


def test_it_is_the_models_as_a_1_x_1_convolution_of_the_map():
    rng = np.random.default_rng(1)
    coef, intercept = rng.normal(size=(4, 32)), rng.normal(size=4)
    places = torch.from_numpy(rng.normal(size=(5, 7, 32))).half()
    kernel = torch.from_numpy(coef)[:, :, None, None]
    expected = torch.conv2d(places.double().permute(2, 0, 1)[None], kernel, torch.from_numpy(intercept))[0]
    found = Linear(coef, intercept, CPU)(places.flatten(0, 1))
    assert found.shape == (35, 6)
    torch.testing.assert_close(found[:, :4].T.reshape(4, 5, 7), expected, rtol=1e-12, atol=1e-12)


def test_what_is_said_of_values_beside_confidences():
    rows = torch.tensor([[0, 1, 2], [0, 0, 0], [1, torch.inf, 2], [torch.nan, -torch.inf, 0]]).half()
    found = Linear(np.ones((1, 3)), np.zeros(1), CPU)(rows)
    assert found[:, 1].tolist() == [2, 0, 3, 2]
    assert found[:, 2].tolist() == [linear.FINE, linear.FINE, linear.INFINITE, linear.NO_NUMBER]
    assert Linear(np.ones((1, 3)), np.zeros(1), CPU)(rows[:0]).shape == (0, 3)

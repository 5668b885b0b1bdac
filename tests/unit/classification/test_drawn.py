"""Memberships come back from the pictures that were drawn of them."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.class_maps import draw
from slidecaf.classification.drawn import read_drawn, undraw
from slidecaf.errors import SlidecafError

PICTURES = {
    "noise": lambda generator: generator.integers(0, 256, (50, 70, 3)),
    "tissue": lambda generator: np.clip(generator.normal((190, 130, 170), 40, (50, 70, 3)), 0, 255),
    "black": lambda generator: np.zeros((50, 70, 3)),
    "white": lambda generator: np.full((50, 70, 3), 255),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("threshold", [0.5, 3.0])
def test_memberships_come_back_to_some_hundredths_of_the_mean(name, threshold):
    generator = np.random.default_rng(0)
    picture = PICTURES[name](generator).astype(np.uint8)
    values = generator.gamma(2, threshold / 2, (50, 70))
    values[:5] = np.nan
    found, foreground, _ = undraw(np.asarray(draw(picture, values, threshold)))
    assert np.isnan(found[:5]).all()
    np.testing.assert_allclose(found[5:], np.clip(values[5:] / threshold, 0, 2), atol=0.02)
    differs = foreground != (values > threshold)
    # on white the drawing of the foreground shows nothing: there the membership tells, to its hundredths
    assert (np.abs(values / threshold - 1)[differs] < 0.02).all()
    assert name == "white" or differs.sum() <= 1


@pytest.mark.parametrize("name", PICTURES)
def test_attention_beside_them_comes_back_as_a_share_of_its_largest_value(name):
    generator = np.random.default_rng(0)
    picture = PICTURES[name](generator).astype(np.uint8)
    values, attention = generator.gamma(2, 1, (50, 70)), generator.uniform(0, 0.01, (50, 70))
    found, _, looked = undraw(np.asarray(draw(picture, values, 1.0, attention=attention)), attends=True)
    np.testing.assert_allclose(found, np.clip(values, 0, 2), atol=0.02)
    np.testing.assert_allclose(looked, 2 * attention / attention.max(), atol=0.02)
    with pytest.raises(ValueError, match="no three pictures"):
        undraw(np.asarray(draw(picture, values, 1.0, attention=attention))[:, :-1])


def test_a_file_that_is_no_drawing_is_an_error(tmp_path):
    Image.new("RGB", (101, 40)).save(tmp_path / "other.png")
    with pytest.raises(SlidecafError, match=r"other\.png is no drawing of a map .*run again"):
        read_drawn(tmp_path / "other.png")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("damaged.png", "missing.png"):
        with pytest.raises(SlidecafError, match=name):
            read_drawn(tmp_path / name)

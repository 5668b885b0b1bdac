"""What a network looks at, as a box of the image."""

import numpy as np
import pytest
import torch
from torch import nn

from slidecaf.tiles.whole import over_square
from slidecaf.training.crops import Crop, crop_of, look, region
from slidecaf.training.networks import Network


def test_a_map_lies_over_its_square():
    maps = torch.tensor([[[[0.0, 4], [8, 12]]]])
    # four px: the middles of two places lie between px 0 and 1, and 2 and 3
    wide = over_square(maps, 4)[0, 0]
    np.testing.assert_allclose(wide[0], [0, 1, 3, 4])
    np.testing.assert_allclose(wide[:, 0], [0, 2, 6, 8])
    # of a square of four places the outermost are those beside them
    bordered = over_square(maps, 4, border=1)[0, 0]
    assert bordered.tolist() == [[0, 0, 4, 4], [0, 0, 4, 4], [8, 8, 12, 12], [8, 8, 12, 12]]


@pytest.mark.parametrize(("height", "width", "side"), [(7, 7, 224), (3, 5, 31), (1, 1, 4), (10, 8, 6)])
def test_it_is_pytorchs_bilinear_resize(height, width, side):
    maps = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    wanted = nn.functional.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(over_square(maps, side), wanted, atol=1e-6)


def test_the_largest_region_above_a_share_of_the_largest_value():
    values = np.zeros((6, 8))
    values[0, 0] = 10  # the largest value, alone
    values[2:4, 3:7] = 2  # 0.2 of it
    values[5, 0:7] = 1.99
    assert region(values, 0.2) == (3, 2, 7, 4)
    assert region(values, 0.21) == (0, 0, 1, 1)
    # places that touch at their corners alone are apart
    assert region([[1, 0], [0, 1]], 0.5) == (0, 0, 1, 1)


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((4, 4), 3.0), -np.ones((4, 4)), np.full((4, 4), -np.inf)])
def test_a_map_that_speaks_nowhere_or_everywhere_has_no_region(values):
    assert region(values, 0.2) is None


def test_a_region_of_the_square_in_px_of_the_image():
    assert crop_of(None, 100, (640, 480), "stretch") == Crop((0, 0, 640, 480), True)
    assert crop_of((0, 0, 100, 100), 100, (640, 480), "stretch") == Crop((0, 0, 640, 480), False)
    assert crop_of((25, 50, 75, 100), 100, (640, 480), "stretch").box == (160, 240, 320, 240)
    # it keeps its shape: 100 x 75 px in the middle of the square, 12 px of nothing above
    assert crop_of((0, 12, 50, 52), 100, (640, 480), "pad").box == (0, 0, 320, 256)
    assert crop_of((0, 0, 100, 12), 100, (640, 480), "pad") == Crop((0, 0, 640, 480), True)
    # every px that it touches
    assert crop_of((1, 1, 2, 2), 3, (10, 10), "stretch").box == (3, 3, 4, 4)


class Bright(nn.Module):
    """Two classes: one sees what is bright, the other what is dark."""

    def __init__(self):
        super().__init__()
        self.conv, self.output = nn.Conv2d(3, 1, 4, 4, bias=False), nn.Linear(1, 2)
        with torch.no_grad():
            self.conv.weight.fill_(1 / 48)
            self.output.weight.copy_(torch.tensor([[1.0], [-1]]))
            self.output.bias.zero_()

    def forward(self, x):
        return self.output(self.conv(x).mean((2, 3)))


def test_a_network_looks_at_what_speaks_for_the_class_it_predicts():
    squares = torch.full((3, 3, 32, 32), 120, dtype=torch.uint8)
    squares[0, :, 8:16, 16:28] = 255  # bright: class 0
    squares[1] = 100
    squares[1, :, 20:32, 0:8] = 0  # dark: class 1
    network = Network(Bright(), grey=False, input_size=32).eval()
    how = {"threshold": 0.5, "fit": "stretch", "batch_size": 2}
    crops, logits = look(network, squares, [(320, 320), (32, 64), (50, 40)], **how)
    assert logits.argmax(axis=1).tolist()[:2] == [0, 1]
    left, top, width, height = crops[0].box
    assert (150 <= left <= 170, 70 <= top <= 90, 110 <= width <= 130, 70 <= height <= 90) == (True,) * 4
    left, top, width, height = crops[1].box
    assert (left, top + height) == (0, 64)
    assert crops[2] == Crop((0, 0, 50, 40), True)
    # an image's box does not depend on the others
    assert look(network, squares[1:2], [(32, 64)], **how)[0] == [crops[1]]

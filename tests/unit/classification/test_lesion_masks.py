"""What of an image a mask shows as its lesion: its light part, however it is stored, or a sentence."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from slidecaf.classification.lesion_masks import read_lesion
from slidecaf.errors import SlidecafError

SIZE = 60, 40


@pytest.fixture
def truth():
    rows, columns = np.mgrid[:40, :60]
    return (rows - 20) ** 2 + (columns - 30) ** 2 < 15**2


def saved(folder, picture, name="mask.png", **options):
    picture.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("light", [1, 7, 255])
def test_of_two_shades_the_lighter_one_is_the_lesion(tmp_path, truth, light):
    path = saved(tmp_path, Image.fromarray((truth * light).astype(np.uint8)))
    assert (read_lesion(path, SIZE, slide="a") == truth).all()


def test_more_than_256_shades_are_no_more_than_their_light_part(tmp_path, truth):
    path = saved(tmp_path, Image.fromarray((truth * 40000).astype(np.uint16)))
    assert (read_lesion(path, SIZE, slide="a") == truth).all()


def test_a_palette_is_taken_as_it_is_shown(tmp_path, truth):
    picture = Image.fromarray((~truth).astype(np.uint8), mode="P")
    picture.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    assert (read_lesion(saved(tmp_path, picture), SIZE, slide="a") == truth).all()


def test_smoothed_edges_are_cut_in_their_middle(tmp_path, truth):
    shaded = Image.fromarray((truth * 255).astype(np.uint8)).resize((240, 160)).filter(ImageFilter.GaussianBlur(2))
    path = saved(tmp_path, shaded.resize(SIZE, Image.Resampling.BOX))
    assert len(np.unique(np.asarray(Image.open(path)))) > 20
    assert (read_lesion(path, SIZE, slide="a") != truth).mean() < 0.01


def test_a_jpeg_is_read_past_its_noise(tmp_path, truth):
    path = saved(tmp_path, Image.fromarray((truth * 255).astype(np.uint8)), "mask.jpg", quality=60)
    assert (read_lesion(path, SIZE, slide="a") != truth).mean() < 0.01


def test_a_black_mask_shows_no_lesion_and_a_white_one_nothing_else(tmp_path):
    for shade, all_of_it in ((0, False), (255, True)):
        path = saved(tmp_path, Image.new("L", SIZE, shade))
        assert (read_lesion(path, SIZE, slide="a") == all_of_it).all()


def test_a_picture_of_many_shades_is_no_mask(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.tile(np.linspace(0, 255, 60), (40, 1)).astype(np.uint8)))
    with pytest.raises(
        SlidecafError, match=r"slide 'a', .*mask.png, has 7\d% of its px neither dark nor light.*save it"
    ):
        read_lesion(path, SIZE, slide="a")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "1"])
def test_colours_and_alpha_change_nothing(tmp_path, truth, mode):
    path = saved(tmp_path, Image.fromarray((truth * 255).astype(np.uint8)).convert(mode))
    assert (read_lesion(path, SIZE, slide="a") == truth).all()


def test_the_real_masks_of_a_collection_are_all_read(shared_data):
    folder = shared_data / "collections" / "ham10000" / "masks"
    paths = sorted(folder.glob("*.png"))[::10]
    shares = [read_lesion(path, Image.open(path).size, slide=path.stem).mean() for path in paths]
    assert len(paths) > 150
    assert min(shares) > 0
    assert np.median(shares) < 0.5  # lesions lie in the middle of an image

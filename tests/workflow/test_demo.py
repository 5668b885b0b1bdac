"""The demo study drawn whole, as `make run` draws it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from slidecaf.demo import SLIDES, make_demo, mask_paths

pytestmark = pytest.mark.long

TRAIN = [slide for slide in SLIDES if slide.split == "train"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The demo study, drawn once for this module."""
    folder = tmp_path_factory.mktemp("study") / "demo"
    make_demo(folder, workers=2)
    return folder


def test_every_slide_and_mask_is_there_and_nothing_else(study):
    made = {str(path.relative_to(study.parent)) for path in study.rglob("*") if path.is_file()}
    assert made == {f"demo/slides/{slide.slide}.tiff" for slide in SLIDES} | set(mask_paths("demo"))


def test_masks_are_grey_and_as_large_as_their_slide(study):
    shares = {}
    for slide in SLIDES:
        if slide.label == "LGG":
            continue
        with tifffile.TiffFile(study / "slides" / f"{slide.slide}.tiff") as tiff:
            size = tiff.pages[0].shape[1::-1]
        for kind in ("necrosis", "hemorrhage"):
            with Image.open(study / "masks" / f"{slide.slide}-{kind}.png") as mask:
                assert mask.mode == "L"
                assert mask.size == size
                assert set(np.unique(mask)) <= {0, 255}
                shares[slide.slide, kind] = np.asarray(mask).mean() / 255
    necrosis = [share for (_, kind), share in shares.items() if kind == "necrosis"]
    assert sum(share == 0 for share in necrosis) == 1
    assert all(0.05 <= share <= 0.4 for share in necrosis if share)
    assert all(share > 0 for (_, kind), share in shares.items() if kind == "hemorrhage")


def test_the_white_rule_discards_some_patches_and_keeps_most(study):
    kept = []
    for slide in SLIDES:
        pixels = tifffile.imread(study / "slides" / f"{slide.slide}.tiff", key=0)
        coloured = (pixels <= 200).any(2)
        kept += [
            coloured[y : y + 336, x : x + 336].any()
            for y in range(0, len(pixels) - 335, 252)
            for x in range(0, pixels.shape[1] - 335, 252)
        ]
    assert 30 * len(SLIDES) <= len(kept) <= 65 * len(SLIDES)
    assert 0.03 < 1 - np.mean(kept) < 0.4


def test_colour_alone_does_not_tell_the_classes_apart(study):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    features = {"mean": [], "mean and deviation": [], "histogram": []}
    for slide in TRAIN:
        pixels = tifffile.imread(study / "slides" / f"{slide.slide}.tiff", key=0)[::3, ::3]
        tissue = pixels[(pixels <= 200).any(2)].astype(float)
        mean, deviation = tissue.mean(0), tissue.std(0)
        bins = [np.histogram(tissue[:, c], 8, (0, 256))[0] / len(tissue) for c in range(3)]
        features["mean"].append(mean)
        features["mean and deviation"].append([*mean, *deviation])
        features["histogram"].append(np.concatenate(bins))
    labels = np.array([slide.label for slide in TRAIN])
    patients = [slide.patient for slide in TRAIN]
    for kind, table in features.items():
        for classifier in (SVC(kernel="linear"), LogisticRegression()):
            model = make_pipeline(StandardScaler(), classifier)
            predicted = cross_val_predict(model, table, labels, groups=patients, cv=LeaveOneGroupOut())
            assert (predicted == labels).mean() < (0.8 if kind == "histogram" else 0.7), (kind, classifier)

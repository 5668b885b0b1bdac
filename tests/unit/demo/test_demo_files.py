import csv
import hashlib
import subprocess
import sys
import time

import numpy as np
from PIL import Image

from slidecaf import demo
from slidecaf.demo import IMAGES, SLIDES, image_paths, make_collection, make_demo, make_mini

TRAIN = [slide for slide in SLIDES if slide.split == "train"]


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_committed_sheet_lists_the_slides(repository):
    listed = [
        {
            "slide": slide.slide,
            "path": f"slides/{slide.slide}.tiff",
            "label": slide.label,
            "patient": slide.patient,
            "split": slide.split,
        }
        for slide in SLIDES
    ]
    assert rows(repository / "demo" / "classification.tsv") == listed


def test_there_are_enough_slides_and_no_patient_is_in_both_splits_or_classes():
    test = [slide for slide in SLIDES if slide.split == "test"]
    for label in ("GBM", "LGG"):
        assert sum(slide.label == label for slide in TRAIN) >= 8
        assert len({slide.patient for slide in TRAIN if slide.label == label}) >= 6
        assert sum(slide.label == label for slide in test) == 3
    assert not {slide.patient for slide in TRAIN} & {slide.patient for slide in test}
    assert len({(slide.patient, slide.label) for slide in SLIDES}) == len({slide.patient for slide in SLIDES})
    assert len({slide.slide for slide in SLIDES}) == len(SLIDES)


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_are_the_same_bytes_whoever_draws_them(tmp_path, monkeypatch):
    few = tuple(slide for slide in SLIDES if slide.slide in ("gbm-01", "lgg-01"))
    monkeypatch.setattr("slidecaf.demo.files.SLIDES", few)
    make_demo(tmp_path / "one")
    make_demo(tmp_path / "two", workers=2)
    assert len(digest(tmp_path / "one")) == 4
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_the_mini_study_has_a_slide_a_patient_and_is_quick(tmp_path):
    start = time.process_time()
    make_mini(tmp_path)
    assert time.process_time() - start < 6
    sheet = rows(tmp_path / "classification.tsv")
    assert len({row["patient"] for row in sheet}) == len(sheet) == 10
    for label in ("GBM", "LGG"):
        splits = [row["split"] for row in sheet if row["label"] == label]
        assert sorted(splits) == ["test"] + ["train"] * 4
    for row in sheet:
        with Image.open(tmp_path / row["path"]) as image:
            assert image.size == (700, 700)


def test_the_committed_sheet_of_the_collection_lists_its_images(repository):
    found = rows(repository / "demo/collection/sheet.tsv")
    assert [(row["image"], row["label"], row["patient"], row["split"]) for row in found] == [
        (image.image, image.label, image.patient, image.split) for image in IMAGES
    ]
    listed = [row["path"] for row in found] + [row["mask"] for row in found if row["mask"]]
    assert sorted(listed) == sorted(image_paths())
    splits = {}
    for row in found:
        splits.setdefault(row["patient"], set()).add((row["split"], row["label"]))
    assert all(len(of) == 1 for of in splits.values())


def test_the_collection_is_of_small_images_and_necrosis_has_masks(tmp_path, monkeypatch):
    few = tuple(image for image in IMAGES if image.image in ("gbm-01", "lgg-01", "necrosis-01"))
    monkeypatch.setattr("slidecaf.demo.files.IMAGES", few)
    make_collection(tmp_path / "drawn")
    make_collection(tmp_path / "again" / "drawn", workers=2)
    assert digest(tmp_path / "drawn") == digest(tmp_path / "again" / "drawn")
    made = {str(path.relative_to(tmp_path)) for path in (tmp_path / "drawn").rglob("*") if path.is_file()}
    assert made == set(image_paths())
    for path in made:
        with Image.open(tmp_path / path) as image:
            assert (image.size, image.mode) == ((224, 224), "L" if "masks" in path else "RGB")
    with Image.open(tmp_path / "drawn/masks/necrosis-01.png") as mask:
        assert set(np.unique(mask)) <= {0, 255}
        assert np.asarray(mask).mean() / 255 > 0.5


def test_importing_the_demo_is_light():
    heavy = ("scipy", "skimage", "sklearn", "tifffile", "torch")
    code = f"import sys, slidecaf.demo; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_package_says_that_its_slides_are_synthetic():
    assert "ynthetic" in demo.__doc__

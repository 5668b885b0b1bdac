"""New studies of image collections: class folders become labels, train, val and test become splits."""

import time
from collections import Counter

import pytest
import yaml
from PIL import Image

from slidecaf.cli import main
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_tsv
from slidecaf.study.checked import check_study
from slidecaf.study.collection import find_images
from slidecaf.study.config import check_config
from slidecaf.study.new import collection_text
from slidecaf.study.sheets import Row
from slidecaf.study.spellings import check_spellings


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def found(folder, *paths):
    return [(row["image"], row["label"], row["split"]) for row in find_images(touch(folder, *paths))[0]]


def test_the_folder_of_an_image_is_its_label_with_all_folders_below(tmp_path):
    paths = ("cat/a.png", "cat/more/b.JPG", "dog/a.png", "dog/.hidden.png", ".git/c.png", "dog/notes.txt", "dog/Thumbs")
    assert found(tmp_path, *paths) == [("a", "cat", "train"), ("b", "cat", "train"), ("a-2", "dog", "train")]
    rows, others = find_images(tmp_path)
    assert all(row["patient"] == row["image"] for row in rows)
    assert others == {".txt": 1, "no suffix": 1}


def test_folders_train_val_and_test_are_splits_and_val_is_learned_from(tmp_path):
    paths = ("Train/cat/a.png", "Train/dog/b.png", "val/cat/c.png", "test/dog/d.png", "test/cat/e.png")
    assert found(tmp_path, *paths) == [
        *(
            ("a", "cat", "train"),
            ("b", "dog", "train"),
            ("e", "cat", "test"),
            ("d", "dog", "test"),
            ("c", "cat", "train"),
        )
    ]
    assert Counter(row["source"] for row in find_images(tmp_path)[0]) == {"Train": 2, "test": 2, "val": 1}


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("cat/a.png",), "holds images of one class, cat; give a folder that holds a folder a class"),
        (("cat/a.txt", "dog/a.txt"), "holds no images in class folders"),
        (("cat/a.png", "dog/a.png", "b.png", "a.png"), "holds a.png and 1 more images in no class folder"),
        (("train/cat/a.png", "train/dog/b.png", "train/c.png"), "train holds c.png in no class folder"),
        (("train/cat/a.png", "train/dog/b.png", "bird/c.png"), "holds train and beside them bird with images"),
    ],
)
def test_what_is_no_folder_of_classes_is_refused(tmp_path, paths, said):
    with pytest.raises(SlidecafError, match=said):
        found(tmp_path, *paths)
    with pytest.raises(SlidecafError, match="is no folder"):
        find_images(tmp_path / "absent")


def test_a_new_study_of_a_collection_is_valid_as_it_is(tmp_path, monkeypatch, capsys):
    images = tmp_path / "images"
    for k in range(12):
        path = images / f"{'test' if k % 4 == 3 else 'val' if k % 4 == 2 else 'train'}/{'abc'[k % 3]}/{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (k, 0, 0)).save(path)
    assert main(["init", str(tmp_path / "study"), "--collection", str(images)]) == 0
    said = capsys.readouterr().out
    assert "12 images of 3 classes, 9 in train and 3 in test" in said
    assert "Every image counts as its own patient" in said
    assert "Images of val are in train" in said
    monkeypatch.chdir(tmp_path / "study")
    study = check_study(yaml.safe_load((tmp_path / "study/config.yaml").read_text()))
    assert (study.classes, len(study.classification)) == (["a", "b", "c"], 12)
    assert study.config.classification.item_name == "image"
    rows = read_tsv(tmp_path / "study/classification.tsv")
    assert list(rows[0]) == ["image", "path", "label", "patient", "split", "source"]
    assert main(["init", str(tmp_path / "study"), "--collection", str(images)]) == 1
    assert "is there already and is not overwritten" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "two"), "--collection", str(images), "--task", "both"]) == 1


def test_odd_names_of_files_make_ids_that_can_stand_as_patients_too(tmp_path):
    paths = ("a/IMG_1.png", "b/img_1.png", "a/NA.png", "b/none.png", "b/1.png", "a/1.0.png", "b/1E+05.png", "a/é.png")
    rows = find_images(touch(tmp_path, *paths))[0]
    made = [
        Row(k, row["image"], str(row["path"]), row["patient"], row["split"], None, None, label=row["label"])
        for k, row in enumerate(rows)
    ]
    assert check_spellings(made, "patient") == []
    assert len({row["image"].casefold() for row in rows}) == len(paths)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_config_says_whether_one_class_has_to_be_the_positive_one(classes):
    text = collection_text('"quoted": title', classes=classes)
    assert check_config(yaml.safe_load(text)).title == '"quoted": title'
    assert ("SET THIS" in text) == (classes == 2)


def test_a_folder_of_a_hundred_thousand_files_takes_seconds(tmp_path):
    for k in range(20):
        (tmp_path / f"class-{k}").mkdir()
        for n in range(5000):  # the same names in every class
            (tmp_path / f"class-{k}" / f"{n:04}.png").touch()
    start = time.process_time()
    rows, _ = find_images(tmp_path)
    assert time.process_time() - start < 10
    assert len({row["image"] for row in rows}) == len(rows) == 100_000

"""New studies: a commented config, and sheets of a folder of slides."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_tsv
from slidecaf.study.config import check_config
from slidecaf.study.ids import slide_ids
from slidecaf.study.new import config_text, find_slides, make_study
from tests.dicom import write_slide


@pytest.fixture
def slides(tmp_path):
    folder = tmp_path / "slides"
    (folder / "more").mkdir(parents=True)
    for name in ("b.svs", "a 1.TIF", "more/b.ndpi", "notes.txt", ".hidden.svs"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("tasks", [["classification"], ["segmentation"], ["classification", "segmentation"]])
def test_the_config_of_a_new_study_is_valid_and_its_own(tasks):
    title = r"Dr. O's \1 \"study\": größer"
    text = config_text(tasks, title)
    config = yaml.safe_load(text)
    assert config["title"] == title
    assert config["slides_per_job"] is None
    checked = check_config(config)
    assert set(tasks) == set(checked.tasks())
    assert "demo" not in text
    assert "random:0\n" not in text
    assert text.count("#") > 20
    used = {"classification": "cnn-336", "segmentation": "cnn-112"}
    assert set(config["features"]) == {used[task] for task in tasks}


def test_a_sheet_lists_the_slides_of_a_folder_and_leaves_label_and_patient_to_the_user(slides, tmp_path):
    make_study(tmp_path / "study", slides=slides)
    rows = read_tsv(tmp_path / "study" / "classification.tsv")
    assert [row["slide"] for row in rows] == ["a-1", "b", "b-2"]
    assert all((row["label"], row["patient"], row["split"]) == ("", "", "train") for row in rows)
    assert [Path(row["path"]).name for row in rows] == ["a 1.TIF", "b.svs", "b.ndpi"]
    assert "patient" in (tmp_path / "study" / "README.md").read_text()


def test_paths_within_the_study_are_relative_to_it(slides, tmp_path):
    make_study(tmp_path, slides=slides)
    assert read_tsv(tmp_path / "classification.tsv")[1]["path"] == "slides/b.svs"


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(SlidecafError, match=r"README.md is there already"):
        make_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_folder_without_slides_is_an_error(tmp_path):
    with pytest.raises(SlidecafError, match="holds no slide"):
        find_slides(tmp_path)


def test_slides_of_several_files_are_listed_once(slides):
    pixels = np.zeros((40, 40, 3), np.uint8)
    write_slide(slides / "dicom", pixels)
    write_slide(slides / "two", pixels, series="1.2.7", stem="a")
    write_slide(slides / "two", pixels, series="1.2.8", stem="b")
    (slides / "v.vms").write_text("ImageFile=v.jpg")
    for name in ("v.jpg", "own.jpg"):
        (slides / name).write_bytes(b"x")
    found = [path.relative_to(slides).as_posix() for path in find_slides(slides)]
    assert found == ["a 1.TIF", "b.svs", "dicom", "more/b.ndpi", "own.jpg", "two/a-1.dcm", "two/b-1.dcm", "v.vms"]


def test_ids_of_odd_file_names_are_valid_and_unique():
    names = ["..x.svs", "ä ö.svs", "é.svs", "a/b.svs", "c/b.svs", "x..y.svs", "a" * 200 + ".svs"]
    ids = slide_ids([Path(name) for name in names])
    assert len(set(ids)) == len(ids)
    import re

    assert all(re.fullmatch(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}", slide) for slide in ids)

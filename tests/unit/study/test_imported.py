"""Files of another program: found by the slide's id or by its file's name, and said where they are missing."""

from pathlib import Path

import pytest

from slidecaf.study.config import check_config
from slidecaf.study.imported import ImportedSet, find_sources
from slidecaf.study.sheets import Row


def row(number, slide, path):
    return Row(number, slide, path, f"p{number}", "train", None, None)


ROWS = [row(2, "a", "slides/TCGA-1.svs"), row(3, "b", "slides/b.svs")]


def settings(folder, kind="trident", patches=None):
    chosen = {"kind": "imported", "format": kind, "folder": str(folder)}
    if patches:
        chosen["patches"] = str(patches)
    return check_config({"features": {"uni": chosen}}).features["uni"]


def write(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_file_is_found_by_the_slides_id_or_by_its_files_name(tmp_path):
    write(tmp_path / "TCGA-1.h5", tmp_path / "b.h5")
    one = ImportedSet(settings(tmp_path), ROWS)
    assert one.files("a") == [str(tmp_path / "TCGA-1.h5")]
    assert one.files("b") == [str(tmp_path / "b.h5")]
    write(tmp_path / "a.h5")
    assert ImportedSet(settings(tmp_path), ROWS).files("a") == [str(tmp_path / "a.h5")]


def test_clam_has_patches_apart_from_features(tmp_path):
    write(tmp_path / "h5_files/a.h5", tmp_path / "h5_files/b.h5", tmp_path / "patches/a.h5", tmp_path / "cut/a.h5")
    assert ImportedSet(settings(tmp_path, "clam"), ROWS).files("a") == [
        str(tmp_path / "h5_files/a.h5"),
        str(tmp_path / "patches/a.h5"),
    ]
    elsewhere = ImportedSet(settings(tmp_path, "clam", tmp_path / "cut"), ROWS)
    assert elsewhere.files("a")[1] == str(tmp_path / "cut/a.h5")


def test_the_first_file_that_is_there_is_what_others_are_held_to(tmp_path):
    assert ImportedSet(settings(tmp_path), ROWS).first == ""
    write(tmp_path / "b.h5")
    one = ImportedSet(settings(tmp_path), ROWS)
    assert one.first == str(tmp_path / "b.h5")
    assert one.files("a") == [str(tmp_path / "a.h5")]  # where it would be


@pytest.mark.parametrize("spelling", ["job/features_uni", "job/features_uni/", "job/./x/../features_uni"])
def test_where_a_folder_lies_and_how_it_is_spelt_is_no_part_of_what_a_set_is(tmp_path, spelling):
    described = ImportedSet(settings(tmp_path / spelling), ROWS).described
    assert described == {"format": "trident", "folder": "features_uni"}


def test_what_is_missing_or_taken_twice_is_said_of_each_slide(tmp_path):
    write(tmp_path / "b.h5")
    sources, problems = find_sources(settings(tmp_path).plain(), ROWS)
    assert set(sources) == {"a", "b"}
    assert len(problems) == 1
    assert "slide a: there is no" in problems[0]
    assert "a.h5 or TCGA-1.h5" in problems[0]
    twins = [row(2, "one", "x/same.svs"), row(3, "two", "y/same.svs")]
    write(tmp_path / "same.h5")
    _, problems = find_sources(settings(tmp_path).plain(), twins)
    assert len(problems) == 1
    assert f"slide two: {Path(tmp_path / 'same.h5')} is that of slide one too" in problems[0]

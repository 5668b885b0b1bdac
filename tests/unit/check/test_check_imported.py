"""A study on features of another program checked before its run, by the command."""

import json
import shutil

import pytest
import yaml

from slidecaf.check.estimate import BASE
from slidecaf.cli import main
from tests import imported_study
from tests.imported_study import COUNT, DIMENSION, ENCODER, trident_file


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return imported_study.make(tmp_path_factory.mktemp("drawn") / "study")


@pytest.fixture
def study(drawn, tmp_path, monkeypatch):
    """A copy to change; the check goes into its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("slidecaf.commands.check._job_start", lambda: 1.0)  # test_inspection.py has it measured
    return shutil.copytree(drawn, tmp_path / "study")


def change(study, edit):
    path = study / "config.yaml"
    config = yaml.safe_load(path.read_text())
    edit(config)
    path.write_text(yaml.safe_dump(config))


def file_of(study, slide):
    return study / f"job/features_uni_v1/{slide}.h5"


def check(study, capsys, *options):
    code = main(["check", str(study), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_imported_features_are_understood_and_estimated(study, capsys):
    code, found = check(study, capsys)
    assert found["errors"] == []
    assert code == 0
    uni = found["features"]["uni"]
    assert (uni["slides"], uni["patches"], uni["dimension"]) == (8, 8 * COUNT, DIMENSION)
    assert (uni["imported"], uni["files"], uni["encoders"]) == ("trident", 8, [ENCODER])
    assert uni["minimum"] < 0
    assert [stage["name"] for stage in found["stages"]] == [
        *("imported, uni", "pooling, uni", "SVMs of patches, maps", "maps and masks, maps")
    ]
    assert all(stage["hours"] > 0 for stage in found["stages"])
    assert found["stages"][0]["jobs"] == 8
    assert not (study / "results").exists()


def test_the_table_says_whose_features_they_are(study, capsys):
    assert main(["check", str(study), "--quick"]) == 0
    said = capsys.readouterr().out
    assert "features.uni: features of TRIDENT in job/features_uni_v1: files of 8 of 8 slides, 16 values a patch" in said
    assert f"by {ENCODER}." in said
    assert "counted in their files" in said
    assert "white share" not in said


def test_imported_features_beside_those_of_a_network(study, capsys):
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
    cnn = {"tiling": {"patch_size": 100, "stride": 100}, "encoder": encoder}
    change(study, lambda config: config["features"].update(cnn=cnn))
    change(study, lambda config: config["classification"]["methods"]["svm-cnn"].update(features=["cnn", "uni"]))
    code, found = check(study, capsys, "--seconds", "0")
    assert code == 0
    assert {stage["name"] for stage in found["stages"]} == {
        *("tiles, cnn", "features, cnn", "pooling, cnn", "imported, uni", "pooling, uni"),
        *("SVMs of patches, maps", "maps and masks, maps"),
    }


def test_patches_to_learn_from_are_counted_by_the_stride_of_the_files(study, capsys):
    def matrix():
        _, found = check(study, capsys)
        return next(stage["memory"] for stage in found["stages"] if stage["name"].startswith("SVMs")) - BASE

    every = matrix()
    change(study, lambda config: config["segmentation"]["methods"]["maps"].update(training_stride=100))
    assert every == pytest.approx(4 * matrix())


def test_a_grid_that_the_segmentation_cannot_use_is_an_error(study, capsys):
    change(study, lambda config: config["segmentation"]["methods"]["maps"].update(training_stride=75))
    trident_file(file_of(study, "gbm-1"), shift=30)
    code, found = check(study, capsys, "--quick")
    assert code == 1
    assert any("gbm-1: its imported patches stand on no one grid" in error for error in found["errors"])
    assert any("gbm-2: a stride of 75 px is no multiple" in error for error in found["errors"])


def test_vectors_of_two_lengths_are_an_error(study, capsys):
    trident_file(file_of(study, "lgg-2"), dimension=8)
    code, found = check(study, capsys)
    assert code == 1
    assert any("slide lgg-2" in error and "has 8 values a patch" in error for error in found["errors"])


def test_files_of_two_encoders_look_wrong(study, capsys):
    trident_file(file_of(study, "lgg-2"), encoder="other numbers")
    code, found = check(study, capsys, "--quick")
    assert code == 0
    assert any("several encoders (other numbers, random numbers)" in warning for warning in found["warnings"])


@pytest.mark.parametrize(("on_bad_slide", "code", "kind"), [("fail", 1, "errors"), ("exclude", 0, "warnings")])
def test_a_damaged_or_foreign_file_counts_as_a_bad_slide(study, capsys, on_bad_slide, code, kind):
    change(study, lambda config: config.update(on_bad_slide=on_bad_slide))
    file_of(study, "gbm-1").write_bytes(b"no HDF5")
    trident_file(file_of(study, "gbm-2"), level0_width=999)
    ended, found = check(study, capsys)
    assert ended == code
    assert any("features.uni: slide gbm-1" in said and "is damaged" in said for said in found[kind])
    assert any("gbm-2" in said and "a width of 999 px" in said for said in found[kind])
    assert found["features"]["uni"]["files"] == 6
    assert found["stages"][0]["jobs"] == 6


def test_a_slide_without_a_file_is_left_out_where_the_config_says_so(study, capsys):
    change(study, lambda config: config.update(on_bad_slide="exclude"))
    file_of(study, "lgg-1").unlink()
    code, found = check(study, capsys)
    assert code == 0
    assert any("features.uni: slide lgg-1: there is no job/features_uni_v1" in said for said in found["warnings"])
    assert found["features"]["uni"]["files"] == 7


def test_a_norm_that_negative_features_have_not_is_an_error(study, capsys):
    change(study, lambda config: config["classification"]["methods"]["svm-cnn"].update(norm=[3]))
    code, found = check(study, capsys)
    assert code == 1
    assert any(
        "3 needs features from 0, and those of uni go below; write [1, inf]." in said for said in found["errors"]
    )


def test_so_is_one_that_an_ablation_tries(study, capsys):
    varied = {"method": "svm-cnn", "norm": [1, 5]}
    change(study, lambda config: config["classification"].update(ablation=varied))
    code, found = check(study, capsys)
    assert code == 1
    said = "classification.ablation.norm: 5 needs features from 0, and those of uni go below; write [1, inf]."
    assert found["errors"] == [said]

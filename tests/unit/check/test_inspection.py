"""A whole study checked before its run, as `slidecaf check` and `slidecaf init` do."""

import json
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf import demo
from slidecaf.check.estimate import estimate
from slidecaf.check.inspection import inspect_study
from slidecaf.check.survey import Look
from slidecaf.check.training import TrainingProbe
from slidecaf.cli import main
from slidecaf.study.checked import check_study
from slidecaf.study.config_file import read_config

ENCODER = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A mini study with both tasks."""
    folder = tmp_path_factory.mktemp("study")
    demo.make_mini(folder, patients=3, size=400)
    tiling = {"patch_size": 96, "stride": 48, "white_above": 200}
    config = {
        "threads": 1,
        "features": {
            "patches": {"tiling": tiling, "encoder": ENCODER},
            "dense": {"tiling": tiling | {"stride": 24, "edge": "cover"}, "encoder": ENCODER, "extraction": "dense"},
        },
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "methods": {"svm-cnn": {"features": ["patches"]}},
        },
        "segmentation": {
            "sheet": "segmentation.tsv",
            "methods": {"svm-cnn": {"features": "dense", "training_stride": 48}},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def study(drawn, tmp_path, monkeypatch):
    """A copy to change; the check goes into its folder."""
    shutil.copytree(drawn, tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "study"


def change(study, edit):
    path = study / "config.yaml"
    config = yaml.safe_load(path.read_text())
    edit(config)
    path.write_text(yaml.safe_dump(config))


def test_a_study_in_order_is_estimated_by_stage(study, capsys):
    assert main(["check", str(study), "--json", "--seconds", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["errors"] == []
    assert found["slides"]["opened"] == 8
    assert [stage["name"] for stage in found["stages"]] == [
        *("tiles, dense", "features, dense", "tiles, patches", "features, patches", "pooling, patches"),
        *("SVMs of patches, svm-cnn", "maps and masks, svm-cnn"),
    ]
    assert found["features"]["patches"]["slides"] == 8
    assert found["features"]["dense"]["slides"] == 4
    assert found["features"]["dense"]["dimension"] == 512
    assert all(stage["hours"] > 0 for stage in found["stages"])
    assert any("random weights" in note for note in found["notes"])
    assert not (study / "results").exists()


def test_what_is_wrong_is_said_and_ends_with_exit_code_1(study, capsys):
    (study / "slides" / "gbm-1.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (study / "slides" / "forgotten.png").touch()
    change(study, lambda config: config["features"]["patches"]["tiling"].update(mpp=0.5))
    assert main(["check", str(study), "--quick"]) == 1
    said = capsys.readouterr().out
    assert "slide gbm-1" in said
    assert "column mpp" in said
    assert "no row names 1 of the files in slides: forgotten.png" in said
    assert "to mend before the run" in said


def test_an_unreadable_slide_that_is_excluded_is_a_warning(study, capsys):
    (study / "slides" / "gbm-1.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    change(study, lambda config: config.update(on_bad_slide="exclude"))
    assert main(["check", str(study), "--quick"]) == 0
    assert "Looks wrong\n  slide gbm-1" in capsys.readouterr().out


def test_mixed_resolutions_and_missing_tissue_look_wrong(study, capsys):
    Image.new("RGB", (400, 400), "white").save(study / "slides" / "gbm-2.png")
    for name in ("classification", "segmentation"):
        path = study / f"{name}.tsv"
        header, *rows = path.read_text().splitlines()
        rows = [row + ("\t0.25" if "gbm-1" in row else "\t0.5" if "gbm-3" in row else "\t") for row in rows]
        path.write_text("\n".join([header + "\tmpp", *rows]))
    assert main(["check", str(study), "--quick"]) == 0
    said = capsys.readouterr().out
    assert "resolutions are mixed: 0.25 micrometres a pixel in slide gbm-1, 0.5 in gbm-3" in said
    assert "do not say their micrometres" in said
    assert "slide gbm-2: no tissue was found" in said


def test_where_all_slides_have_few_patches_that_is_said_once(study, capsys):
    change(study, lambda config: config["features"]["patches"]["tiling"].update(patch_size=250, stride=250))
    assert main(["check", str(study), "--quick"]) == 0
    said = capsys.readouterr().out
    assert "half of the slides have few patches, at most 1 of patches; where that is not meant" in said
    assert "patches are all" not in said


def test_a_network_that_cannot_be_used_is_an_error_before_any_job(study, capsys):
    change(study, lambda config: config.pop("classification"))
    change(study, lambda config: config["features"]["dense"]["encoder"].update(layer="classifier.9"))
    assert main(["check", str(study), "--seconds", "0"]) == 1
    assert "features.dense: layer: SqueezeNet has no 'classifier.9'" in capsys.readouterr().out


def test_init_and_check_name_the_cells_that_are_empty(study, tmp_path, capsys):
    assert main(["init", str(tmp_path / "new"), "--slides", str(study / "slides")]) == 0
    assert main(["init", str(tmp_path / "new")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "new")]) == 1
    assert "row 2, column patient: an empty cell" in capsys.readouterr().err


def test_a_study_without_a_config_says_how_to_make_one(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 1
    assert "slidecaf init" in capsys.readouterr().err


def masks_of(study):
    return sorted({study / line.split("\t")[2] for line in (study / "segmentation.tsv").read_text().splitlines()[1:]})


def test_a_check_shows_each_masks_size_and_share(study, capsys):
    assert main(["check", str(study), "--quick"]) == 0
    said = capsys.readouterr().out
    assert "mask of slide" in said
    assert main(["check", str(study), "--quick", "--json"]) == 0
    masks = json.loads(capsys.readouterr().out)["masks"]
    assert len([mask for mask in masks if mask["column"] == "mask"]) == len(masks_of(study))
    for mask in masks:
        with Image.open(study / mask["path"]) as image:
            pixels = np.asarray(image)
        assert (mask["width"], mask["height"]) == image.size
        assert mask["share"] == (pixels > 0).mean()
        assert mask["whole"]
        assert f"{mask['share']:.2%}" in said


def test_masks_without_the_value_that_is_meant_are_an_error_once_no_training_mask_has_it(study, capsys):
    change(study, lambda config: config["segmentation"].update(mask_value=1))
    assert main(["check", str(study), "--quick"]) == 1
    said = capsys.readouterr().out
    assert "has no pixel of segmentation.mask_value: 1 and holds 0, 255" in said
    assert "segmentation.tsv, column mask: no px of its" in said
    assert "(values: 0, 255); correct segmentation.mask_value" in said
    first, *_ = masks_of(study)
    with Image.open(first) as image:
        pixels = np.asarray(image) // 255
    Image.fromarray(pixels).save(first)
    assert main(["check", str(study), "--quick"]) == 0  # a warning of the others


def test_training_masks_that_are_full_are_an_error(study, capsys):
    for path in masks_of(study):
        with Image.open(path) as image:
            size = image.size
        Image.new("L", size, 255).save(path)
    assert main(["check", str(study), "--quick"]) == 1
    assert "all px of its" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_study_of_one_task_is_checked_and_each_slide_is_shown(study, capsys, task):
    change(study, lambda config: config.pop(task))
    assert main(["check", str(study), "--quick"]) == 0
    shown = capsys.readouterr().out
    assert "gbm-1 " in shown
    assert "400 x 400" in shown
    assert main(["check", str(study), "--quick", "--json"]) == 0
    each = {one["slide"]: one for one in json.loads(capsys.readouterr().out)["each"]}
    assert (each["gbm-1"]["width"], each["gbm-1"]["mpp_from"], each["gbm-1"]["file_mpp"]) == (400, "", None)


def test_copies_are_errors_of_the_check_too(study, capsys):
    shutil.copy(study / "slides/gbm-1.png", study / "slides/lgg-1.png")
    assert main(["check", str(study), "--quick"]) == 1
    assert "is a copy of slide 'gbm-1' in row 2 and has another patient and label" in capsys.readouterr().out
    change(study, lambda config: (config.update(on_copies="exclude"), config.pop("segmentation")))
    assert main(["check", str(study), "--quick"]) == 0
    assert "slide 'lgg-1' is a copy of slide 'gbm-1' in row 2; it is left out." in capsys.readouterr().out


def test_whole_slides_are_one_patch_each_without_tiles_and_pooling(study, capsys):
    def whole(config):
        config.pop("segmentation", None)
        config["features"] = {"whole": {"tiling": "whole", "encoder": ENCODER, "shards": 3}}
        config["classification"]["methods"] = {"image-level": {"features": ["whole"], "norm": [3]}}

    change(study, whole)
    assert main(["check", str(study), "--json", "--seconds", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [stage["name"] for stage in found["stages"]] == ["features, whole"]
    assert 1 <= found["stages"][0]["jobs"] <= 3
    assert (found["features"]["whole"]["slides"], found["features"]["whole"]["patches"]) == (8, 8)
    assert (found["features"]["whole"]["dimension"], found["features"]["whole"]["seconds"] > 0) == (512, True)
    assert not [text for text in found["warnings"] if "patches are all" in text or "resolutions" in text]
    assert found["errors"] == []
    assert main(["check", str(study), "--quick"]) == 0
    assert "whole 1, level 0" in capsys.readouterr().out


def test_a_method_without_features_is_estimated_and_says_which_slides_are_too_large(tmp_path, monkeypatch):
    from slidecaf.segmentation.graph_rlm import slide

    sheet = ["slide\tpath\tmask\tpatient\tsplit"]
    for k in range(4):
        Image.fromarray(np.full((300, 400, 3), 90 + k, np.uint8)).save(tmp_path / f"s{k}.png")
        Image.fromarray(np.eye(300, 400, dtype=np.uint8)).save(tmp_path / f"m{k}.png")
        sheet.append(f"s{k}\ts{k}.png\tm{k}.png\tp{k}\ttrain")
    (tmp_path / "sheet.tsv").write_text("\n".join(sheet) + "\n")
    config = {
        "features": {"mf": {"kind": "manual", "tiling": {"patch_size": 100, "stride": 100}}},
        "segmentation": {
            "sheet": "sheet.tsv",
            "methods": {"svm-mf": {"features": "mf", "training_stride": 100}, "graph": {"kind": "graph-rlm"}},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    found = inspect_study(job_start=lambda: 1.0, seconds=0.1)
    assert not found.errors
    stages = {stage["name"]: stage for stage in found.stages}
    assert stages["regions and maps, graph"]["hours"] > 0
    assert "SVMs of patches, svm-mf" in stages
    monkeypatch.setattr(slide, "MOST_PIXELS", 100_000)
    errors = inspect_study().errors
    assert len(errors) == 4
    assert "slide s0: s0.png has 400 x 300 px, more than the 0.1 megapixels that kind: graph-rlm takes" in errors[0]


def test_every_way_to_train_a_network_is_tried_and_is_a_stage(study, monkeypatch):
    monkeypatch.chdir(study)
    network = {"kind": "network", "input_size": 32, "epochs": 1000, "batch_size": 8}
    ways = {
        "cnn": network,
        "two": network | {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own"},
        "patched": network | {"patches_of": "patches", "patches_per_slide": 5},
    }
    methods = ways | {"misspelt": network | {"architecture": "resnet19"}}
    change(study, lambda config: (config.pop("segmentation"), config["classification"].update(methods=methods)))
    found = inspect_study(job_start=lambda: 0.0, seconds=0.1)
    (error,) = found.errors
    assert "classification.methods.misspelt: model: torchvision has no classification model 'resnet19'" in error
    stages = {stage["name"]: stage for stage in found.stages}  # tiles of one feature set, and no features
    assert set(stages) == {"tiles, patches", *(f"training, {name}" for name in ways), "heat maps, patched"}
    for name in ways:
        assert stages[f"training, {name}"]["jobs"] == 8  # three folds and the last, trained and used
        assert stages[f"training, {name}"]["memory"] > 10**8
        assert stages[f"training, {name}"]["hours"] > 0
    assert stages["heat maps, patched"]["hours"] > 0
    assert stages["training, two"]["size"] == 2 * stages["training, cnn"]["size"]


@pytest.mark.parametrize(
    ("further", "learned", "read"),
    [
        ({}, 6 * 3 * 10, 6 * 3 + 8),  # rows x folds x epochs; rows of all parts, and every slide once
        ({"learning_rate": [0.1, 0.01]}, 2 * 6 * 3 * 10, 6 * 3 + 8),
        ({"kind": "cam-two-stage", "architecture": "vgg16"}, 2 * 6 * 3 * 10, 2 * (6 * 3 + 8)),
        # 25 patches a slide, 10 an epoch; each is read whenever it is seen, and 40 % as long to judge
        (
            {"patches_of": "patches", "patches_per_slide": 10},
            6 * 10 * 3 * 10 + 0.4 * (8 * 25 + 3 / 5 * 6 * 25),
            6 * 10 * 3 * 10 + 8 * 25 + 3 / 5 * 6 * 25,
        ),
    ],
)
def test_hours_of_training_are_those_of_images_read_and_learned_from(study, monkeypatch, further, learned, read):
    monkeypatch.chdir(study)

    def cnn(config):
        config["classification"]["methods"] = {"cnn": {"kind": "network", "epochs": 10, **further}}

    change(study, cnn)
    checked = check_study(read_config("config.yaml"))
    count = {"patches": 25}
    looks = {row.slide: Look(row.slide, patches=count, cells=count) for row in checked.classification}
    assert [row.split for row in checked.classification].count("train") == 6
    probe = TrainingProbe(device="cpu", start=0.0, reading=0.5, seconds=2.0, size=10.0, memory=1)
    stages = {stage.name: stage for stage in estimate(checked, looks, {}, {"cnn": probe}, job_start=0.0, cores=1)}
    assert stages["training, cnn"].hours * 3600 == pytest.approx(2 * learned + 0.5 * read)
    assert ("heat maps, cnn" in stages) == ("patches_of" in further)
    if "patches_of" in further:  # all of the eight slides once more, in one job
        shown = stages["heat maps, cnn"]
        assert (shown.jobs, shown.hours * 3600) == (1, pytest.approx(8 * 25 * (0.4 * 2 + 0.5)))


@pytest.mark.parametrize("name", ["arl-14", "custom-cnn"])
def test_networks_built_here_are_encoders_but_for_the_one_of_one_size(study, monkeypatch, capsys, name):
    def tuned(config):
        config.pop("segmentation")
        own = {"model": name, "layer": "layer4", "weights": "trained:net", "input_size": 64}
        config["features"] = {"tuned": {"tiling": "whole", "encoder": own}}
        network = {"kind": "network", "architecture": name, "input_size": 32}
        svm = {"features": ["tuned"], "norm": [1], "keep": ["all"]}
        config["classification"]["methods"] = {"net": network, "svm": svm}

    change(study, tuned)
    if name != "custom-cnn":
        monkeypatch.chdir(study)
        found = inspect_study(job_start=lambda: 0.0, seconds=0)
        assert not found.errors
        assert {"features, tuned", "training, net"} == {stage["name"] for stage in found.stages}
        return
    assert main(["check", str(study)]) == 1
    assert "'trained:net': custom-cnn is made for one size of image and is no encoder; name a method of another" in (
        capsys.readouterr().err
    )

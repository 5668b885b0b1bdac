"""A study as a whole: its config and its sheets together."""

from pathlib import Path

import pytest

from slidecaf.errors import InputErrors
from slidecaf.study.checked import check_study
from slidecaf.study.targets import targets_of


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Two tasks on three feature sets, one of them imported; its files and all slides are there."""
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
        (tmp_path / f"{name}.h5").touch()
    lines = [f"{name}\t{name}.png\t{label}\tp{name}" for name, label in zip("abcd", "xxyy", strict=True)]
    (tmp_path / "c.tsv").write_text("\n".join(["slide\tpath\tlabel\tpatient", *lines]) + "\n")
    lines = [f"{name}\t{name}.png\t{name}.png\tp{name}" for name in "abc"]
    (tmp_path / "s.tsv").write_text("\n".join(["slide\tpath\tmask\tpatient", *lines]) + "\n")
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    computed = {"tiling": {"patch_size": 64, "stride": 32}, "encoder": encoder}
    return {
        "features": {
            "one": computed,
            "two": computed,
            "uni": {"kind": "imported", "format": "trident", "folder": "."},
            "spare": computed,
        },
        "classification": {
            "sheet": "c.tsv",
            "positive": "x",
            "folds": 2,
            "methods": {"svm": {"features": "one", "C": 1}, "other": {"features": "uni", "C": 1}},
        },
        "segmentation": {"sheet": "s.tsv", "methods": {"svm": {"features": "two"}}},
    }


def test_a_study_knows_its_tasks_methods_and_which_slides_a_feature_set_is_for(config):
    study = check_study(config)
    assert study.classes == ["y", "x"]
    assert list(study.config.tasks()) == ["classification", "segmentation"]
    assert list(study.config.methods("classification")) == ["svm", "other"]
    assert study.config.feature_sets_of("classification") == ["one", "uni"]
    assert [study.slides_of(name) for name in ("one", "two", "uni", "spare")] == [
        ["a", "b", "c", "d"],
        ["a", "b", "c"],
        ["a", "b", "c", "d"],
        [],
    ]
    assert [study.pools(name) for name in ("one", "two", "uni")] == [True, False, True]
    assert study.plain["features"]["one"]["tiling"]["stride"] == 32
    del config["segmentation"]
    study = check_study(config)
    assert (study.segmentation, study.config.methods("segmentation"), list(study.config.tasks())) == (
        [],
        {},
        ["classification"],
    )


def test_a_slide_without_its_imported_file_is_an_error_unless_such_slides_are_left_out(config, tmp_path):
    (tmp_path / "b.h5").unlink()
    with pytest.raises(InputErrors, match=r"features\.uni: slide b: there is no \./?b\.h5"):
        check_study(config)
    assert check_study(config | {"on_bad_slide": "exclude"}).slides_of("uni") == ["a", "b", "c", "d"]


def test_a_kind_that_reads_patches_keeps_them_pools_nothing_and_wants_two_classes(config, tmp_path):
    config["classification"]["methods"] = {
        "svm": {"features": "one", "C": 1},
        "mcil": {"kind": "mcil", "features": "two"},
    }
    config["features"]["two"] = {**config["features"]["two"], "store": "train"}
    rows = [f"{name}\t{name}.png\t{name}.png\tp{name}\t{'test' if name == 'b' else 'train'}" for name in "abcd"]
    (tmp_path / "s.tsv").write_text("\n".join(["slide\tpath\tmask\tpatient\tsplit", *rows]) + "\n")
    study = check_study(config)
    assert [study.pools(name) for name in ("one", "two")] == [True, False]
    assert study.slides_with_features("two") == ["a", "b", "c", "d"]
    rows = [f"{name}\t{name}.png\t{label}\tp{name}" for name, label in zip("abcdef", "xxyyzz", strict=True)]
    (tmp_path / "c.tsv").write_text("\n".join(["slide\tpath\tlabel\tpatient", *rows]) + "\n")
    for name in "ef":
        (tmp_path / f"{name}.png").touch()
    del config["classification"]["positive"]
    with pytest.raises(InputErrors, match=r"methods\.mcil\.kind: mcil tells two classes apart, and the sheet has 3"):
        check_study(config)


def fisher_study(config, tmp_path, sheet, **fisher):
    """Two classes whose patients, and fixed folds, are given by class."""
    lines = ["slide\tpath\tlabel\tpatient\tfold"]
    for label, folds in sheet.items():
        for k, fold in enumerate(folds):
            (tmp_path / f"{label}{k}.png").touch()
            lines.append(f"{label}{k}\t{label}{k}.png\t{label}\t{label}-{k}\t{fold}")
    (tmp_path / "c.tsv").write_text("\n".join(lines) + "\n")
    del config["segmentation"]
    own = {"features": "one", "keep": "all", "C": 1, "fisher": {"kind": "ffv", **fisher}}
    config["classification"]["methods"] = {"fisher": own}
    return config


@pytest.mark.parametrize(
    ("sheet", "kind", "folds", "inner_folds", "said"),
    [
        ({"x": "...", "y": "..."}, ["ffv"], 3, 3, None),  # two are left, which do without inner folds
        ({"x": "..", "y": "..."}, ["ffv"], 2, 3, "a fold leaves 1 of 'x'; add patients, or leave ffv out."),
        ({"x": "....", "y": "..."}, ["ffv"], 2, 3, "a fold leaves 1 of 'y'; set classification.folds to 3, or leave"),
        ({"x": "....", "y": "...."}, ["fv", "ffv"], 4, 3, None),
        ({"x": "....", "y": "..."}, ["fv", "ffv"], 3, 3, "a fold leaves 2 of 'y'; add patients, or leave ffv out."),
        ({"x": "....", "y": "...."}, ["fv", "ffv"], 4, 2, "a fold leaves 3 of 'x'; add patients"),
        ({"x": "....", "y": "..."}, ["fv", "ifv"], 3, 3, None),
        ({"x": "0011", "y": "0011"}, ["ffv"], 3, 3, None),
        ({"x": "0011", "y": "0001"}, ["ffv"], 3, 3, "a fold leaves 1 of 'y'; add patients, or leave ffv out."),
    ],
)
def test_foreground_vectors_need_two_patients_of_each_class_wherever_they_learn(
    config, tmp_path, sheet, kind, folds, inner_folds, said
):
    sheet = {label: ["" if fold == "." else fold for fold in given] for label, given in sheet.items()}
    config = fisher_study(config, tmp_path, sheet, kind=kind)
    config["classification"] |= {"folds": folds, "inner_folds": inner_folds, "positive": "x"}
    if said is None:
        assert check_study(config).classes == ["y", "x"]
        return
    with pytest.raises(InputErrors) as error:
        check_study(config)
    (problem,) = error.value.problems
    assert problem.startswith("classification.methods.fisher.fisher.kind: ffv holds half of the training rows back")
    assert said in problem
    assert ("inner folds" in problem) == (len(kind) > 1)


STAIN = {"method": "reinhard", "target": "a"}


def test_the_target_of_a_stain_is_a_slide_or_a_file(config):
    config["features"]["one"] = {**config["features"]["one"], "image": {"stain": STAIN}}
    config["features"]["two"] = {**config["features"]["two"], "image": {"stain": {**STAIN, "target": "./d.h5"}}}
    study = check_study(config)
    assert study.stain_target("one") == {"name": "a", "path": "a.png", "mpp": None, "scene": ""}
    assert study.stain_target("two") == {"name": "d.h5", "path": "./d.h5", "mpp": None, "scene": ""}
    assert study.stain_target("uni") is None
    assert study.stain_target("spare") is None


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("e.png", r"'e.png' is no slide's id and no file; write the id of a slide in a sheet"),
        ("b", r"'b' is a slide's id and a file; write \./b for the file"),
    ],
)
def test_a_target_that_is_missing_or_two_things_is_refused(config, tmp_path, target, said):
    (tmp_path / "b").touch()
    config["features"]["one"] = {**config["features"]["one"], "image": {"stain": {**STAIN, "target": target}}}
    with pytest.raises(InputErrors, match=rf"features\.one\.image\.stain\.target: {said}"):
        check_study(config)


def with_region(tmp_path, tasks="cs"):
    """Write a column roi into the sheets, whose first slide alone has one."""
    (tmp_path / "a.geojson").touch()
    for task in tasks:
        header, *lines = (tmp_path / f"{task}.tsv").read_text().splitlines()
        lines = [f"{line}\t{'' if number else 'a.geojson'}" for number, line in enumerate(lines)]
        (tmp_path / f"{task}.tsv").write_text("\n".join([f"{header}\troi", *lines]) + "\n")


def test_a_region_of_interest_is_a_column_of_both_sheets(config, tmp_path):
    config["classification"]["methods"].pop("other")
    with_region(tmp_path)
    study = check_study(config)
    assert [row.roi for row in study.classification] == ["a.geojson", "", "", ""]
    assert {slide: row.roi for slide, row in study.slides.items()} == {"a": "a.geojson", "b": "", "c": "", "d": ""}
    (tmp_path / "a.geojson").unlink()
    with pytest.raises(InputErrors, match=r"row 2, column roi: there is no file 'a\.geojson' for slide 'a'; write its"):
        check_study(config)


def test_both_sheets_have_to_say_the_same_region(config, tmp_path):
    config["classification"]["methods"].pop("other")
    with_region(tmp_path, "c")
    with pytest.raises(InputErrors, match=r"column roi: slide 'a' has '' here and 'a\.geojson' in row 2 of c\.tsv"):
        check_study(config)


def test_what_lays_no_patches_of_its_own_takes_no_region(config, tmp_path):
    with_region(tmp_path)
    config["features"]["one"] = {**config["features"]["one"], "tiling": "whole"}
    config["segmentation"]["methods"]["regions"] = {"kind": "graph-rlm"}
    with pytest.raises(InputErrors) as caught:
        check_study(config)
    said = "\n".join(caught.value.problems)
    region = "slide 'a' has 'a.geojson' in column roi; empty the column, or"
    assert f"features.one.tiling: whole looks at all of a slide, and {region} lay patches." in said
    assert "features.uni.kind: the patches of imported features are another program's" in said
    assert f"segmentation.methods.regions.kind: graph-rlm looks at all of a slide, and {region} leave" in said


def test_features_of_a_network_trained_here_are_computed_once_a_part(config):
    encoder = {"model": "resnet18", "layer": "layer4", "weights": "trained:net"}
    config["features"]["tuned"] = {"tiling": "whole", "encoder": encoder, "shards": 1}
    methods = config["classification"]["methods"]
    methods |= {"net": {"kind": "network", "architecture": "resnet18"}, "tuned": {"features": "tuned", "C": 1}}
    lines = [f"{name}\t{name}.png\t{label}\tp{name}\t{split}" for name, label, split in LISTED]
    Path("c.tsv").write_text("\n".join(["slide\tpath\tlabel\tpatient\tsplit", *lines]) + "\n")
    Path("e.png").touch()
    Path("e.h5").touch()
    study = check_study(config)
    assert study.computed("one") == ["one"]
    assert study.computed("tuned") == ["tuned@fold-0", "tuned@fold-1", "tuned"]
    weights = {name: study.feature_sets[name].encoder.weights for name in study.computed("tuned")}
    top = "results/classification/net"
    assert weights == {
        "tuned@fold-0": f"{top}/fold-0/network.safetensors",
        "tuned@fold-1": f"{top}/fold-1/network.safetensors",
        "tuned": f"{top}/final/network.safetensors",
    }
    assert study.config.features["tuned"].encoder.weights == "trained:net"
    # a fold's network sees nothing that only the final one decides on
    assert [study.slides_of(name) for name in weights] == [list("abcd"), list("abcd"), list("abcde")]
    assert {name: study.shards[name] for name in weights} == {
        "tuned@fold-0": {0: list("abcd")},
        "tuned@fold-1": {0: list("abcd")},
        "tuned": {0: list("abcde")},
    }
    targets = targets_of(study)
    made = targets.everything()
    for name in weights:
        assert {f"results/features/{name}/shard-0.tsv", f"results/encoders/{name}.json"} <= {*made}
    behind = targets.behind("classification", "tuned")
    assert {f"{top}/fold-1/network.safetensors", "results/features/tuned@fold-1/shard-0.tsv"} <= {*behind}
    assert not any("/other/" in path or "/uni/" in path or f"{top}/scores" in path for path in behind)


LISTED = [*zip("abcd", "xxyy", ["train"] * 4, strict=True), ("e", "", "test")]
"""Slides with label and split."""

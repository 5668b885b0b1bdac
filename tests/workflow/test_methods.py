"""Methods side by side, and one setting varied at a time, in a run."""

import json

import pytest
import yaml

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import (
    ACCEPTANCE_ABSENT,
    accepted,
    fix_folds,
    made_once,
    make_mini,
    mini_config,
    read_sheet,
    segmentation_config,
    turn_labels,
)

ABLATION = {"method": "svm-cnn", "norm": [1, 3], "keep": ["all"], "features": ["dense-96"]}
FIXED = {"features": ["cnn-160"], "norm": [3], "keep": [20], "C": [0.01, 1]}


def config():
    """Two methods a task, and an ablation whose other feature set no method of its task uses."""
    config, other = mini_config(), segmentation_config()
    del config["features"]["cnn-224"]
    config["features"]["dense-96"] = other["features"]["dense-96"]
    config["classification"]["methods"] = {"svm-cnn": FIXED, "mean": {**FIXED, "norm": [1]}}
    config["classification"]["ablation"] = ABLATION
    plain = {**other["segmentation"]["methods"]["svm-cnn"], "hard_examples": None, "min_object": [0]}
    methods = {**other["segmentation"]["methods"], "other": plain}
    return {**config, "segmentation": {**other["segmentation"], "folds": 2, "methods": methods}}


def make_compared(folder):
    study = make_mini(folder, config=config(), size=400)
    fix_folds(study)
    study.first_run = study.finish("--resources", "gpu=2")
    return study


@pytest.fixture(scope="module")
def compared(tmp_path_factory, worker_id):
    """A study of two methods a task, with an ablation, that has been run; its sheet fixes the folds. Copy it."""
    return made_once(make_compared, "compared", tmp_path_factory, worker_id)


@pytest.fixture
def study(compared, tmp_path):
    return compared.copy(tmp_path / "study")


def seconds(study, *jobs):
    """Return what Snakemake measured of some jobs, by their places below the benchmarks."""
    found = [path for job in jobs for path in (study / "results/benchmarks").glob(f"{job}.tsv")]
    return sum(float(read_tsv(path)[0]["s"]) for path in found)


@pytest.mark.long
def test_the_tables_say_what_the_methods_own_files_say(compared):
    rows = read_tsv(compared / "results/classification/comparison.tsv")
    assert [row["method"] for row in rows] == ["svm-cnn", "mean"]
    for row in rows:
        found = json.loads((compared / f"results/classification/{row['method']}/scores.json").read_text())
        found = found["cross_validation"]
        assert [float(row[key]) for key in ("n", "score", "ci_low", "ci_high")] == [
            *(found["n"], found["accuracy"], *found["accuracy_ci95"])
        ]
    (pair,) = [
        row
        for row in json.loads((compared / "results/classification/comparison.json").read_text())
        if row["part"] == "cross_validation"
    ]
    assert float(rows[1]["p"]) == pair["p"]
    assert float(rows[1]["difference"]) == (pair["only_b"] - pair["only_a"]) / pair["n"]

    rows = read_tsv(compared / "results/segmentation/comparison.tsv")
    assert [(row["method"], row["variant"]) for row in rows] == [
        *(("svm-cnn", "plain"), ("svm-cnn", "hard"), ("other", "plain"))
    ]
    retrained = json.loads((compared / "results/segmentation/svm-cnn/comparison.json").read_text())["leave_one_out"]
    assert float(rows[1]["difference"]) == pytest.approx(retrained["mean_difference"])
    assert float(rows[1]["p"]) == pytest.approx(retrained["p"])


@pytest.mark.long
def test_methods_of_a_segmentation_share_its_folds(compared):
    one, other = (compared / "results/segmentation").glob("*/folds.tsv")
    assert one.read_bytes() == other.read_bytes()


def test_methods_share_the_folds_that_are_drawn(finished):
    assert "fold" not in read_sheet(finished)[0]
    one, other = (finished / "results/classification").glob("*/folds.tsv")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.long
def test_time_is_that_of_all_jobs_that_a_method_needs(compared):
    shared = ("encoder/cnn-160", *(f"{step}/cnn-160/batch-*" for step in ("tiles", "features", "pooling")))
    for row in read_tsv(compared / "results/classification/comparison.tsv"):
        own = f"classifier/{row['method']}/*"
        assert float(row["seconds"]) == pytest.approx(seconds(compared, *shared, own), abs=0.06)
        assert 0.05 < float(row["memory_gib"]) < 8
    plain, hard, other = (float(row["seconds"]) for row in read_tsv(compared / "results/segmentation/comparison.tsv"))
    steps = [f"{step}/svm-cnn/hard/*" for step in ("patch_svm", "maps", "map_choice", "segment", "outlines")]
    steps += ["patch_svm/svm-cnn/hard", "hard_examples/svm-cnn"]
    assert hard - plain == pytest.approx(seconds(compared, *steps), abs=0.11)
    steps = [f"{step}/dense-96/batch-*" for step in ("tiles", "features", "labels")]
    steps += [f"{step}/other/plain/*" for step in ("maps", "map_choice", "segment", "outlines")]
    assert other == pytest.approx(seconds(compared, *steps, "encoder/dense-96", "patch_svm/other/plain"), abs=0.06)


@pytest.mark.long
def test_what_is_varied_is_judged_in_the_same_folds_and_the_methods_own_value_changes_nothing(compared):
    rows = {(row["factor"], row["value"]): row for row in read_tsv(compared / "results/classification/ablation.tsv")}
    assert list(rows) == [("norm", "1"), ("norm", "3"), ("keep", "all"), ("features", "dense-96")]
    assert [row["own"] for row in rows.values()] == ["", "yes", "", ""]
    known = {row["method"]: row for row in read_tsv(compared / "results/classification/comparison.tsv")}
    assert [rows["norm", "3"][key] for key in ("n", "difference", "p")] == ["8", "0.0", "1.0"]
    assert rows["norm", "3"]["score"] == known["svm-cnn"]["score"]
    # the other method differs from the varied one in the norm alone
    assert rows["norm", "1"]["score"] == known["mean"]["score"]
    assert rows["norm", "1"]["difference"] == known["mean"]["difference"]
    text = (compared / "results/report.html").read_text()
    assert "One setting of svm-cnn varied at a time" in text
    assert 'id="figure6"' in text


@pytest.mark.long
def test_a_finished_study_has_nothing_to_do_and_one_more_value_is_one_more_job(study):
    assert study.planned(shown=True) == {}
    study.config(lambda config: config["classification"]["ablation"].update(keep=["all", 10]))
    assert study.planned() == {"study": 1, "ablated": 1, "ablation": 1}
    before = study.bytes("classification")
    study.finish("--until", "ablation")
    after = study.bytes("classification")
    assert set(after) - set(before) == {"results/classification/svm-cnn/ablation/keep-10.tsv"}
    assert {path for path in before if before[path] != after[path]} == {"results/classification/ablation.tsv"}


@pytest.mark.long
def test_a_rerun_of_one_slide_leaves_the_cost_empty_and_one_of_all_says_it_again(study):
    study.config(lambda config: [config["classification"]["ablation"].pop(factor) for factor in ("norm", "keep")])
    next((study / "results/features/cnn-160").glob("*.h5")).unlink()
    study.finish("--until", "methods")
    rows = read_tsv(study / "results/classification/comparison.tsv")
    assert [(row["seconds"], row["memory_gib"]) for row in rows] == [("", "")] * 2
    assert all(row["seconds"] for row in read_tsv(study / "results/segmentation/comparison.tsv"))
    for step in ("features", "pooled"):  # what is still good would be left alone
        for path in (study / f"results/{step}/cnn-160").glob("*.h5"):
            path.unlink()
    study.finish("--until", "methods")
    assert all(row["seconds"] for row in read_tsv(study / "results/classification/comparison.tsv"))


@pytest.mark.long
def test_held_out_labels_change_nothing_of_what_an_ablation_says_of_their_slides(study):
    def lines(path):
        return [line for line in path.read_text().splitlines() if line.split("\t")[1] == "0"]

    tried = sorted((study / "results/classification/svm-cnn/ablation").glob("*.tsv"))
    before, whole = {path: lines(path) for path in tried}, {path: path.read_bytes() for path in tried}
    held_out = turn_labels(study)
    study.judge()
    assert len(tried) == 4
    for path in tried:
        assert len(before[path]) == len(held_out)
        assert lines(path) == before[path], path
    assert any(path.read_bytes() != whole[path] for path in tried)  # the labels do reach the other fold


@pytest.mark.long
def test_the_acceptance_check_passes(compared):
    if not accepted(compared):
        pytest.skip(ACCEPTANCE_ABSENT)


def test_nothing_is_varied_unless_the_config_says_so(tmp_path):
    study = make_mini(tmp_path / "study", size=100)
    assert not {"ablated", "ablation"} & set(study.planned())
    asked = yaml.safe_load((study / "config.yaml").read_text())
    asked["classification"]["ablation"] = {**ABLATION, "features": ["cnn-160"]}
    (study / "config.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    assert {rule: study.planned()[rule] for rule in ("ablated", "ablation")} == {"ablated": 4, "ablation": 1}
    asked["classification"]["ablation"] = {**ABLATION, "method": "svm"}
    (study / "config.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    refused = study.snakemake("-n")
    assert refused.returncode == 1
    assert "classification.ablation.method: 'svm': there is no such method" in refused.stdout + refused.stderr

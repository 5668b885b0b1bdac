"""One setting varied: each value is the method with that value alone, and no left-out label reaches its judgement."""

import numpy as np
import pytest
from scipy.stats import binomtest

from slidecaf.classification.ablation import COLUMNS, try_value, write_ablation
from slidecaf.classification.classifier import decide, fit_classifier
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.study.config import ClassificationSvm
from tests.unit.classification.test_classifier import GRID, Study

PARTS = ["fold-0", "fold-1", "fold-2"]


@pytest.fixture(params=[("LGG", "GBM"), ("a", "b", "c")], ids=len)
def study(request, tmp_path):
    return Study(tmp_path, request.param)


def tried(study, name, grid, rows=None):
    path = study.folder / name
    try_value(
        path,
        pooled=study.pooled,
        folds=study.folds,
        parts=PARTS,
        rows=rows or study.train,
        classes=study.classes,
        settings=ClassificationSvm(**grid, max_iter=100_000),
        inner_folds=3,
        seed=0,
        method="svm",
    )
    return path


@pytest.mark.parametrize("varied", [{"norm": ["inf"]}, {"keep": ["all"]}, {"features": ["far"]}, {"keep": [2]}])
def test_a_value_is_judged_as_a_method_that_has_nothing_else(study, varied):
    grid, expected = GRID | varied, {}
    for part in PARTS:
        top = study.fit(f"own/{part}", part, settings=ClassificationSvm(**grid, max_iter=100_000))
        decide(
            top / "decisions.tsv",
            kind="svm",
            model=top / "model.json",
            vectors=study.pooled,
            folds=study.folds,
            part=part,
        )
        expected |= {row["slide"]: row["predicted"] for row in read_tsv(top / "decisions.tsv")}
    rows = read_tsv(tried(study, "tried.tsv", grid))
    assert {row["slide"]: row["predicted"] for row in rows} == expected
    assert expected["train-03"] == ""  # it has no tissue
    ((factor, [value]),) = varied.items()
    assert {row[factor] for row in rows} == {str(value)}


def test_labels_of_a_fold_change_nothing_of_what_is_said_of_its_slides(study):
    def lines(path):
        return {line for line in path.read_text().splitlines() if line.split("\t")[1] == "0"}

    grid = GRID | {"norm": ["inf"]}
    before = tried(study, "before.tsv", grid)
    turned = dict(zip(study.classes, (*study.classes[1:], study.classes[0]), strict=True))
    rows = [{**row, "label": turned[row["label"]]} if k < 6 else row for k, row in enumerate(study.train)]
    after = tried(study, "after.tsv", grid, rows)
    assert len(lines(before)) == 6
    assert lines(before) == lines(after)
    assert before.read_bytes() != after.read_bytes()  # the labels do reach the folds that learn from them


def test_made_twice_it_is_equal_byte_for_byte(study):
    one, two = (tried(study, name, GRID | {"keep": [4]}) for name in ("one.tsv", "two.tsv"))
    assert one.read_bytes() == two.read_bytes()


def test_the_table_holds_accuracy_interval_difference_and_mcnemars_p(tmp_path):
    own = [1, 1, 0, 1, 0, 0, 1, 0]
    hits = {3: own, "inf": [1, 1, 1, 1, 1, 0, 0, 1]}
    rows = [
        {"slide": f"s{k}", "split": "cv", "label": "GBM", "predicted": "GBM" if hit else "LGG", "status": "ok"}
        for k, hit in enumerate(own)
    ]
    rows += [
        {"slide": "t", "split": "test", "label": "GBM", "predicted": "LGG", "status": "ok"},
        {"slide": "again", "split": "cv", "label": "GBM", "predicted": "", "status": "copy"},
    ]
    write_tsv(tmp_path / "predictions.tsv", list(rows[0]), rows)
    settings = []
    for value, right in hits.items():
        path = tmp_path / f"{value}.tsv"
        judged = [{"slide": f"s{k}", "predicted": "GBM" if hit else ""} for k, hit in enumerate(right)]
        write_tsv(path, ["slide", "predicted"], judged)
        settings.append(("norm", value, path))
    write_ablation(
        tmp_path / "ablation.tsv", predictions=tmp_path / "predictions.tsv", tried=settings, own={"norm": [3]}
    )
    same, other = read_tsv(tmp_path / "ablation.tsv")
    assert tuple(same) == COLUMNS
    assert [same[key] for key in ("factor", "value", "own", "n", "correct")] == ["norm", "3", "yes", "8", "4"]
    assert [float(same[key]) for key in ("score", "difference", "p")] == [0.5, 0, 1]
    assert [other[key] for key in ("value", "own", "n", "correct")] == ["inf", "", "8", "6"]
    assert float(other["difference"]) == 6 / 8 - 4 / 8
    interval = binomtest(6, 8).proportion_ci(0.95, method="exact")
    assert [float(other[key]) for key in ("ci_low", "ci_high")] == pytest.approx([interval.low, interval.high])
    # three slides on which only the value is right, one on which only the method is: 2 (1 + 4) / 2^4
    assert float(other["p"]) == pytest.approx(10 / 16)


def test_fitting_leaves_the_folds_slides_out_of_the_vectors_that_are_looked_at(study):
    """The pooled files of a fold's slides may hold anything: what was chosen for the fold stays."""
    grid = GRID | {"keep": [2]}
    before = read_tsv(tried(study, "before.tsv", grid))
    from slidecaf.pooling.file import write_pooled

    rng = np.random.default_rng(5)
    for row in study.train[:6]:
        for features in GRID["features"]:
            vectors = {norm: rng.gamma(2, size=6) for norm in ("3", "inf")}
            write_pooled(study.pooled[features][row["slide"]], vectors, patches=1, status="ok")
    after = read_tsv(tried(study, "after.tsv", grid))
    for one, other in zip(before, after, strict=True):
        if one["fold"] == "0":
            assert [one[key] for key in ("features", "norm", "keep", "C")] == [
                other[key] for key in ("features", "norm", "keep", "C")
            ]


def test_all_features_are_kept_in_the_order_of_their_rank(study):
    top = study.folder / "all"
    outputs = {name: top / name for name in ("choice", "selection", "model", "inner")}
    fit_classifier(
        **outputs,
        vectors=study.pooled,
        folds=study.folds,
        part="final",
        rows=study.train,
        classes=study.classes,
        settings=ClassificationSvm(**GRID | {"features": ["far"], "keep": ["all"]}),
        inner_folds=3,
        seed=0,
    )
    rows = read_tsv(outputs["selection"])
    assert sorted(int(row["feature"]) for row in rows) == list(range(6))
    differences = [float(row["difference"]) for row in rows]
    assert differences == sorted(differences, reverse=True)

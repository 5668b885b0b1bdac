"""A part's files are those of the recipe written out with scikit-learn, and hold nothing of the slides left out."""

import numpy as np
import pytest
from sklearn.svm import SVC

from slidecaf.classification.choice import choose
from slidecaf.classification.classifier import decide, fit_classifier
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.pooling.file import write_pooled
from slidecaf.pooling.norms import norm_name
from slidecaf.study.config import ClassificationSvm

GRID = {"features": ["near", "far"], "norm": [3, "inf"], "keep": [2, 4], "C": [0.1, 1]}
SETTINGS = ClassificationSvm(**GRID, max_iter=100_000)
OUTPUTS = ("choice.json", "selection.tsv", "model.json", "inner.tsv")


class Study:
    """Made-up pooled vectors of training and test slides; train-03 has no tissue."""

    def __init__(self, folder, classes):
        self.folder, self.classes, rng = folder, classes, np.random.default_rng(0)
        names = [f"train-{k:02}" for k in range(18)] + ["test-1", "test-0"]
        self.rows = [
            {"slide": name, "label": classes[k % len(classes)], "patient": f"p{k:02}"} for k, name in enumerate(names)
        ]
        self.vectors, self.pooled = {}, {name: {} for name in GRID["features"]}
        for features, shift in (("near", 0.5), ("far", 3.0)):
            for k, row in enumerate(self.rows):
                lost = row["slide"] == "train-03"
                vectors = {}
                for norm in (3.0, float("inf")):
                    vectors[norm_name(norm)] = rng.gamma(2, size=6)
                    vectors[norm_name(norm)][k % len(classes)] += shift
                self.vectors[features, row["slide"]] = vectors
                path = self.pooled[features][row["slide"]] = folder / f"{features}-{k}.h5"
                write_pooled(path, {} if lost else vectors, patches=k, status="no tissue" if lost else "ok")
        self.train, self.folds = self.rows[:18], folder / "folds.tsv"
        fold_of = [{**row, "fold": k // 6} for k, row in enumerate(self.train)]
        write_tsv(self.folds, ["slide", "patient", "fold"], fold_of)

    def learned(self, part):
        """The rows that a part learns from."""
        kept = [row for k, row in enumerate(self.train) if f"fold-{k // 6}" != part]
        return [row for row in kept if row["slide"] != "train-03"]

    def fit(self, name, part, **changed):
        top = self.folder / name
        outputs = {output.partition(".")[0]: top / output for output in OUTPUTS}
        options = {
            **{"vectors": self.pooled, "folds": self.folds, "part": part, "rows": self.train, "classes": self.classes},
            **{"settings": SETTINGS, "inner_folds": 3, "seed": 0, **changed},
        }
        fit_classifier(**outputs, **options)
        return top

    def matrix(self, rows, chosen):
        norm = norm_name(float(chosen["norm"]))
        return np.stack([self.vectors[chosen["features"], row["slide"]][norm] for row in rows])


@pytest.fixture(params=[("LGG", "GBM"), ("a", "b", "c")], ids=len)
def study(request, tmp_path):
    return Study(tmp_path, request.param)


@pytest.mark.parametrize("part", ["fold-1", "final"])
def test_a_part_has_the_choice_the_selection_and_the_svm_of_its_training_rows(study, part):
    top, rows = study.fit("one", part), study.learned(part)
    labels = np.array([row["label"] for row in rows])
    candidates = {
        (name, float(norm)): study.matrix(rows, {"features": name, "norm": norm})
        for name in GRID["features"]
        for norm in GRID["norm"]
    }
    patients = [row["patient"] for row in rows]
    options = {"classes": study.classes, "grid": GRID, "inner_folds": 3, "seed": 0, "max_iter": 100_000}
    expected = choose(candidates, labels, patients, **options)[0]
    assert read_json(top / "choice.json") == {**expected, "left_out": ["train-03"]}

    chosen = read_json(top / "choice.json")["chosen"]
    pooled = study.matrix(rows, chosen)
    means = [pooled[labels == name].mean(axis=0) for name in study.classes]
    difference = np.max([abs(a - b) for a in means for b in means], axis=0)
    kept = np.argsort(-difference)[: chosen["keep"]]
    table = read_tsv(top / "selection.tsv")
    assert [(int(row["rank"]), int(row["feature"])) for row in table] == list(enumerate(kept, 1))
    np.testing.assert_allclose([float(row["difference"]) for row in table], difference[kept], rtol=1e-12)

    model = read_json(top / "model.json")
    assert [model[key] for key in ("features", "norm", "selection")] == [
        *(chosen["features"], chosen["norm"], kept.tolist())
    ]
    index = [study.classes.index(label) for label in labels]
    svm = SVC(kernel="linear", C=chosen["C"]).fit(pooled[:, kept], index)
    sign = 1 if len(study.classes) == 2 else -1
    np.testing.assert_allclose(model["coef"], sign * svm.coef_, rtol=1e-9)
    np.testing.assert_allclose(model["intercept"], sign * svm.intercept_, rtol=1e-9)


@pytest.mark.parametrize("part", ["fold-1", "final"])
def test_decisions_are_those_of_the_svm_on_slides_it_never_saw(study, part):
    top = study.fit("one", part)
    model = read_json(top / "model.json")
    tested = study.train[6:12] if part != "final" else study.rows[18:][::-1]
    slides = [row["slide"] for row in study.rows[18:]]
    paths = [top / name for name in ("one.tsv", "two.tsv")]
    for path in paths:
        decide(
            path,
            kind="svm",
            model=top / "model.json",
            vectors=study.pooled,
            folds=study.folds,
            part=part,
            slides=slides,
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()
    table, rows = read_tsv(paths[0]), study.learned(part)
    assert [row["slide"] for row in table] == [row["slide"] for row in tested]
    assert [int(row["patches"]) for row in table] == [study.rows.index(row) for row in tested]
    index = [study.classes.index(row["label"]) for row in rows]
    kept = model["selection"]
    svm = SVC(kernel="linear", C=model["C"]).fit(study.matrix(rows, model)[:, kept], index)
    new = study.matrix(tested, model)[:, kept]
    expected = svm.decision_function(new).reshape(len(tested), -1)
    columns = ["confidence"] if len(study.classes) == 2 else [f"confidence_{name}" for name in study.classes]
    assert list(table[0]) == ["slide", "predicted", *columns, "patches", "status"]
    np.testing.assert_allclose([[float(row[name]) for name in columns] for row in table], expected, rtol=1e-7)
    assert [row["predicted"] for row in table] == [study.classes[k] for k in svm.predict(new)]


def test_files_made_twice_are_equal_and_know_nothing_of_the_slides_left_out(study):
    first, again = study.fit("one", "fold-1"), study.fit("two", "fold-1")
    turned = [{**row, "label": study.classes[0]} if 6 <= k < 12 else row for k, row in enumerate(study.train)]
    files = {
        name: {s: p for s, p in own.items() if s.startswith("train") and not 6 <= int(s[-2:]) < 12}
        for name, own in study.pooled.items()
    }
    other = study.fit("three", "fold-1", rows=turned, vectors=files)
    for name in OUTPUTS:
        assert (first / name).read_bytes() == (again / name).read_bytes() == (other / name).read_bytes()


def test_a_slide_without_tissue_is_listed_without_a_prediction(study):
    top = study.fit("one", "fold-0")
    assert read_json(top / "choice.json")["left_out"] == []
    decide(top / "d.tsv", kind="svm", model=top / "model.json", vectors=study.pooled, folds=study.folds, part="fold-0")
    lost = {row["slide"]: row for row in read_tsv(top / "d.tsv")}["train-03"]
    assert (lost["predicted"], lost["patches"], lost["status"]) == ("", "3", "no tissue")
    assert {value for name, value in lost.items() if name.startswith("confidence")} == {""}


def test_an_unreadable_slide_is_an_error_where_bad_slides_fail(study):
    top = study.fit("one", "final")
    for name in GRID["features"]:
        for slide in ("train-04", "test-0"):
            write_pooled(study.pooled[name][slide], {}, patches=0, status="unreadable")
    files = {"kind": "svm", "model": top / "model.json", "vectors": study.pooled, "folds": study.folds}
    with pytest.raises(SlideError, match="slide train-04: it could not be read"):
        study.fit("two", "final")
    assert not (study.folder / "two").exists()
    assert read_json(study.fit("two", "final", on_bad_slide="exclude") / "choice.json")["left_out"] == [
        *("train-03", "train-04")
    ]
    with pytest.raises(SlideError, match="slide test-0: it could not be read"):
        decide(top / "d.tsv", **files, part="final", slides=["test-0"])
    decide(top / "d.tsv", **files, part="final", slides=["test-0"], on_bad_slide="exclude")
    assert read_tsv(top / "d.tsv")[0]["status"] == "unreadable"


def test_inner_products_beyond_the_memory_allowed_are_refused_with_what_to_do(study):
    with pytest.raises(SlidecafError, match=r"the method: inner products of 17 training rows take .* raise it"):
        study.fit("one", "final", memory=1e-9)

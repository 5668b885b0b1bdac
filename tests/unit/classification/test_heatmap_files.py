"""The heat maps of a batch: each slide by the model that never saw it, and exactly its decision."""

import h5py
import numpy as np
import pytest

from slidecaf.classification.classifier import decide, fit_classifier
from slidecaf.classification.heatmap import read_heatmap, write_heatmaps
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.pooling.batch import pool_slides
from slidecaf.study.config import ClassificationSvm
from tests.unit.batch_jobs import done_twice, manifest
from tests.unit.classification.bag_files import bag_file

SETTINGS = {"revision": {"classification": 1}, "versions": {}}
FOLD = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1, "f": 1, "none": 1}
INVALID = [2, 280]


class Study:
    """Slides of 300 patches with two feature sets; `b` has patches that could not be read, `none` has no tissue."""

    def __init__(self, folder, classes=("LGG", "GBM")):
        rng, self.folder, self.classes = np.random.default_rng(0), folder, classes
        self.slides = [*FOLD, "test"]
        self.labels = {slide: classes[k % len(classes)] for k, slide in enumerate(self.slides)}
        self.features, self.pooled = [], []
        for name, dimension in (("cnn", 5), ("other", 4)):
            files = {}
            for slide in self.slides:
                vectors = np.maximum(rng.normal(size=(0 if slide == "none" else 300, dimension)), 0)
                vectors[:40, classes.index(self.labels[slide])] += 4
                status = "no tissue" if slide == "none" else "ok"
                path = folder / f"features/{name}/{slide}.h5"
                files[slide] = bag_file(path, vectors, invalid=INVALID if slide == "b" else [], status=status)
            self.features.append(manifest(folder / f"features/{name}/batch-2.tsv", files))
            self.pooled.append(folder / f"pooled/{name}/batch-2.tsv")
            pool_slides(
                self.pooled[-1],
                {slide: {} for slide in self.slides},
                {"norms": [1, 3, "inf"], **SETTINGS},
                features=self.features[-1],
            )
        self.folds, self.models = folder / "folds.tsv", {}
        write_tsv(
            self.folds, ["slide", "patient", "fold"], [{"slide": s, "patient": s, "fold": k} for s, k in FOLD.items()]
        )

    def vectors(self):
        names = ("cnn", "other")
        return {name: {slide: self.folder / f"pooled/{name}/{slide}.h5" for slide in self.slides} for name in names}

    def fit(self, parts=("fold-0", "fold-1", "final"), **settings):
        """Fit some parts, and return slide to its row of their decisions."""
        decided = {}
        for part in parts:
            top = self.folder / part
            fit_classifier(
                **{name: top / f"{name}.tsv" for name in ("selection", "inner")},
                **{name: top / f"{name}.json" for name in ("choice", "model")},
                vectors=self.vectors(),
                folds=self.folds,
                part=part,
                rows=[{"slide": slide, "label": self.labels[slide], "patient": slide} for slide in FOLD],
                classes=self.classes,
                settings=ClassificationSvm(**{"features": ["cnn"], "keep": [3], "C": [1.0], **settings}),
                inner_folds=2,
                seed=0,
            )
            self.models[part] = top / "model.json"
            decide(
                top / "decisions.tsv",
                kind="svm",
                model=self.models[part],
                vectors=self.vectors(),
                folds=self.folds,
                part=part,
                slides=["test"] if part == "final" else [],
            )
            decided |= {row["slide"]: row for row in read_tsv(top / "decisions.tsv")}
        return decided

    def write(self):
        write_heatmaps(
            self.folder / "heatmap/batch-2.tsv",
            {slide: {} for slide in self.slides},
            SETTINGS,
            features=self.features,
            pooled=self.pooled,
            folds=self.folds,
            models=self.models,
        )
        return {slide: self.folder / f"heatmap/{slide}.h5" for slide in self.slides}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Study(tmp_path)


@pytest.mark.parametrize("norm", [1, 3, "inf"])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_the_sum_of_the_contributions_is_the_decision(study, norm, scale):
    decided = study.fit(norm=[norm], scale=[scale])
    for slide, path in study.write().items():
        heat = read_heatmap(path)
        if slide == "none":
            assert (len(heat.contribution), "confidence" in heat.attributes) == (0, False)
            continue
        assert len(heat.contribution) == (298 if slide == "b" else 300)
        confidence = float(decided[slide]["confidence"])
        assert abs(heat.contribution.sum() + heat.attributes["intercept"] - confidence) < 1e-9
        assert abs(heat.patch_confidence.mean() - confidence) < 1e-9
        assert heat.attributes["confidence"] == pytest.approx(confidence, abs=1e-12)
        assert (heat.attributes["against"], heat.attributes["speaks_for"]) == study.classes


def test_a_patch_that_could_not_be_read_has_a_place_and_no_contribution(study):
    study.fit()
    with h5py.File(study.write()["b"]) as file:
        assert len(file["coords"]) == len(file["contribution"]) == 300
        assert np.flatnonzero(np.isnan(file["contribution"][:])).tolist() == INVALID


def test_the_feature_set_is_that_which_the_part_chose(study):
    study.fit(features=["other"])
    chosen = {part: read_json(path)["features"] for part, path in study.models.items()}
    assert set(chosen.values()) == {"other"}
    assert all(len(read_heatmap(path).contribution) for slide, path in study.write().items() if slide != "none")


def test_files_that_are_there_are_left_alone_and_another_model_makes_its_own_anew(study):
    study.fit()
    assert done_twice(study.write, study.folder / "heatmap/batch-2.tsv") == sorted(study.slides)
    before = {slide: path.read_bytes() for slide, path in study.write().items()}
    study.fit(["fold-1"], C=[0.001])
    changed = {slide for slide, path in study.write().items() if path.read_bytes() != before[slide]}
    assert changed == {slide for slide, fold in FOLD.items() if fold == 1}


@pytest.mark.parametrize("scheme", ["one-vs-one", "one-vs-rest"])
def test_of_three_classes_the_predicted_one_is_explained(tmp_path, monkeypatch, scheme):
    monkeypatch.chdir(tmp_path)
    study = Study(tmp_path, classes=("a", "b", "c"))
    decided = study.fit(scheme=scheme, keep=["all"])
    for slide, path in study.write().items():
        if slide == "none":
            continue
        heat, row = read_heatmap(path), decided[slide]
        said, values = heat.attributes, {label: float(row[f"confidence_{label}"]) for label in study.classes}
        first, second = sorted(values, key=values.get, reverse=True)[:2]
        assert (said["speaks_for"], said["against"]) == (first, "" if scheme == "one-vs-rest" else second)
        assert abs(heat.contribution.sum() + said["intercept"] - said["confidence"]) < 1e-9
        if scheme == "one-vs-rest":
            assert said["confidence"] == pytest.approx(values[first], abs=1e-9)

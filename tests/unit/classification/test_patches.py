"""A slide's patch scores are those of the model that never saw it, and are made again when this changes only."""

import h5py
import numpy as np
import pytest

from slidecaf.classification.classifier import fit_classifier
from slidecaf.classification.mcil.model import MCIL
from slidecaf.classification.patches import read_patch_scores, score_patches
from slidecaf.files.manifests import file_of
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.study.config import ClassificationMcil
from tests.unit.classification.bag_files import bag_file

SETTINGS = {"revision": {"classification": 1}, "versions": {}}


class Study:
    def __init__(self, folder):
        rng, self.folder = np.random.default_rng(0), folder
        self.slides = ["a", "b", "c", "d", "none", "test"]
        labels = dict(zip(self.slides, ["LGG", "GBM", "LGG", "GBM", "LGG", "LGG"], strict=True))
        self.vectors = {}
        for slide in self.slides:
            self.vectors[slide] = rng.normal(size=(300, 4))
            self.vectors[slide][:40, 2] += 6 * (labels[slide] == "GBM")
            lost = slide == "none"
            path = folder / "features/cnn" / f"{slide}.h5"
            vectors = self.vectors[slide][:0] if lost else self.vectors[slide]
            bag_file(path, vectors, invalid=[2, 280] if slide == "b" else [], status="no tissue" if lost else "ok")
        self.write_manifest()
        self.folds = folder / "folds.tsv"
        fold = {"a": 0, "b": 0, "c": 1, "d": 1, "none": 1}
        write_tsv(
            self.folds, ["slide", "patient", "fold"], [{"slide": s, "patient": s, "fold": k} for s, k in fold.items()]
        )
        self.rows = [{"slide": s, "label": labels[s], "patient": s} for s in fold]
        self.models = {part: self.fit(part) for part in ("fold-0", "fold-1", "final")}

    def write_manifest(self):
        files = {slide: self.folder / f"features/cnn/{slide}.h5" for slide in self.slides}
        rows = [
            {"slide": s, "file": f"{s}.h5", "size": path.stat().st_size, "sha256": file_of(path).sha256}
            for s, path in files.items()
        ]
        self.manifest = self.folder / "features/cnn/batch-2.tsv"
        write_tsv(self.manifest, ["slide", "file", "size", "sha256"], rows)

    def fit(self, part, **changed):
        top = self.folder / part
        fit_classifier(
            choice=top / "choice.json",
            selection=top / "selection.tsv",
            model=top / "model.json",
            inner=top / "inner.tsv",
            vectors={"cnn": {slide: self.folder / f"features/cnn/{slide}.h5" for slide in self.slides}},
            folds=self.folds,
            part=part,
            rows=self.rows,
            classes=("LGG", "GBM"),
            settings=ClassificationMcil(
                kind="mcil", features="cnn", **{"clusters": 2, "rounds": 3, "threshold": 0, **changed}
            ),
            inner_folds=3,
            seed=0,
        )
        return top / "model.json"

    def score(self):
        score_patches(
            self.folder / "patches/batch-2.tsv",
            {slide: {} for slide in self.slides},
            SETTINGS,
            kind="mcil",
            features=[self.manifest],
            folds=self.folds,
            models=self.models,
        )
        return {slide: self.folder / f"patches/{slide}.h5" for slide in self.slides}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Study(tmp_path)


def test_each_slide_is_scored_by_the_model_that_never_saw_it(study):
    paths = study.score()
    for slide, part in (("a", "fold-0"), ("b", "fold-0"), ("d", "fold-1"), ("test", "final")):
        model = MCIL.from_dict(read_json(study.models[part]))
        keep = np.ones(300, bool)
        keep[[2, 280] if slide == "b" else []] = False
        vectors = study.vectors[slide].astype(np.float16)[keep]
        found = read_patch_scores(paths[slide])
        np.testing.assert_array_equal(found.coords[:, 0], 10 * np.flatnonzero(keep))
        np.testing.assert_allclose(found.score, model.instance_decision(vectors), rtol=1e-6)
        np.testing.assert_array_equal(found.cluster, model.membership(vectors))
        assert found.attributes["patch_size_level0"] == 10
    with h5py.File(paths["b"]) as file:
        assert np.isnan(file["score"][[2, 280]]).all()
        assert (file["cluster"][[2, 280]] == -1).all()
    assert len(read_patch_scores(paths["none"]).score) == 0
    assert [row["slide"] for row in read_tsv(study.folder / "patches/batch-2.tsv")] == study.slides


def test_another_model_makes_its_own_slides_again(study):
    paths = study.score()
    before = {slide: path.read_bytes() for slide, path in paths.items()}
    times = {slide: path.stat().st_mtime_ns for slide, path in paths.items()}
    study.score()
    assert {slide: path.stat().st_mtime_ns for slide, path in paths.items()} == times
    study.fit("fold-1", rounds=1)
    study.score()
    assert {slide for slide, path in paths.items() if path.read_bytes() != before[slide]} == {"c", "d", "none"}
    study.fit("fold-1")
    study.score()
    assert {slide: path.read_bytes() for slide, path in paths.items()} == before

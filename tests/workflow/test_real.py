"""Real slides go through the workflow, and real sections through the whole recipe."""

import shutil

import h5py
import numpy as np
import pytest

from slidecaf.classification.choice import choose
from slidecaf.classification.folds import assign_folds
from slidecaf.classification.selection import rank_features, select
from slidecaf.classification.svm import fit_svm
from slidecaf.features.extraction import patchwise
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.files.tables import read_tsv
from slidecaf.pooling.norms import Pooler
from slidecaf.scores.classification import classification_scores
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

CANDIDATES = {"sq-224": Tiling(224, 168, "drop", 200), "sq-336": Tiling(336, 252, "drop", 200)}
GRID = {"features": list(CANDIDATES), "norm": [3], "keep": [100], "C": [0.001, 0.01, 0.1, 1, 10, 100]}


@pytest.fixture
def with_real_slides(study, shared_data):
    """A study with two real slides as test rows, and feature sets for them."""
    for name in ("cmu-1-small-region", "tcga-cr-7395-01a-01-ts1"):
        shutil.copy(shared_data / "slides" / f"{name}.svs", study / "slides")
    shutil.copy(shared_data / "weights/squeezenet1_0_imagenet.pth", study / "squeezenet.pth")
    rows = (
        "cmu\tslides/cmu-1-small-region.svs\t\treal-1\ttest\n",
        "tcga\tslides/tcga-cr-7395-01a-01-ts1.svs\t\treal-2\ttest\n",
    )
    study.sheet(lambda text: text + "".join(rows))
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "squeezenet.pth"}
    study.config(lambda c: c.update(slides_per_job=1))  # of these slides one alone has a resolution
    study.config(
        lambda c: c["features"].update(
            {
                "real": {"tiling": {"patch_size": 336, "overlap": 0.25, "white_above": 200}, "encoder": encoder},
                "at-1": {"tiling": {"patch_size": 224, "overlap": 0.25, "mpp": 1.0}, "encoder": encoder},
            }
        )
    )
    return study


@pytest.mark.long
def test_real_slides_go_through_tiles_and_features(with_real_slides):
    study = with_real_slides
    wanted = [f"results/{name}.h5" for name in ("features/real/cmu", "features/real/tcga")]
    asked = [study.manifest("features/real", slide) for slide in ("cmu", "tcga")]
    asked.append(study.manifest("tiles/at-1", "cmu"))
    done = study.snakemake(*asked, "--cores", "2", "--resources", "gpu=2")
    assert done.returncode == 0, done.stderr
    counts = {}
    for path in wanted:
        with h5py.File(study / path) as file:
            features = file["features"]
            counts[path] = len(features)
            assert features.shape[1] == 512
            assert file["valid"][:].all()
            assert np.isfinite(features[:]).all()
            assert (features[:] > 0).mean() > 0.05
            assert features.attrs["weights_sha256"] != ""
    assert all(counts.values())
    with h5py.File(study / "results/tiles/at-1/cmu.h5") as file:
        assert file["coords"].attrs["patch_size_level0"] == round(224 / 0.499)

    done = study.snakemake(study.manifest("tiles/at-1", "tcga"), "--cores", "2")
    assert done.returncode != 0
    assert "slide tcga" in done.stderr + done.stdout
    assert "column mpp" in done.stderr + done.stdout


class Collect:
    """Takes features rows and pools them."""

    def __init__(self):
        self.pooler = Pooler([3.0])

    def append(self, features, valid):
        self.pooler.add(features[valid])


@pytest.mark.long
def test_real_glioma_sections_run_to_scores_with_imagenet_weights(shared_data):
    """The 48 sections through every step of the recipe, in one process (docs/decisions.md has the workflow's run)."""
    rows = sorted(read_tsv(shared_data / "glioma_tiles/sheet.tsv"), key=lambda row: row["slide"])
    assert len(rows) == 48
    weights = str(shared_data / "weights/squeezenet1_0_imagenet.pth")
    encoder = load_encoder({"model": "squeezenet1_0", "layer": "features", "weights": weights, "input_size": 224})
    pooled = {}
    for name, tiling in CANDIDATES.items():
        vectors = []
        for row in rows:
            with open_slide(shared_data / "glioma_tiles" / row["path"]) as slide:
                collect = Collect()
                patchwise.extract(
                    slide,
                    tile(slide, tiling).coords,
                    encoder,
                    collect,
                    patch_size=tiling.patch_size,
                    patch_size_level0=tiling.patch_size,
                    batch_size=32,
                    threads=2,
                    max_unreadable=0,
                    advance=lambda count: None,
                )
            vectors.append(collect.pooler.result()[3.0])
        pooled[name, 3.0] = np.stack(vectors)

    labels = np.array([row["label"] for row in rows])
    patients = np.array([row["patient"] for row in rows])
    classes = ["LGG", "GBM"]
    folds = assign_folds(labels, patients, 3)
    predicted, confidence = np.empty(48, labels.dtype), np.empty(48)
    for fold in range(3):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        choice, _ = choose(
            {key: matrix[train] for key, matrix in pooled.items()},
            labels[train],
            patients[train],
            classes=classes,
            grid=GRID,
            inner_folds=3,
            seed=0,
            max_iter=10**6,
        )
        assert choice["inner_folds"] == 2  # two LGG patients are left
        chosen = choice["chosen"]
        matrix = pooled[chosen["features"], 3.0]
        kept = select(rank_features(matrix[train], labels[train], classes=classes)[1], chosen["keep"])
        model = fit_svm(matrix[train][:, kept], labels[train], C=chosen["C"], classes=classes, max_iter=10**6)
        predicted[held], confidence[held] = model.predict(matrix[held][:, kept]), model.decision(matrix[held][:, kept])
    scores = classification_scores(labels, predicted, confidence, classes=classes, patients=patients, folds=folds)
    assert scores["accuracy"] >= 0.95  # site and stain differ between the classes: this proves the plumbing
    assert scores["auc"] >= 0.98

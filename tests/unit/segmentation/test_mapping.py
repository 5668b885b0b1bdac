"""Maps of a batch of training slides by every model that never saw them."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from slidecaf.features.file import open_features
from slidecaf.segmentation.mapping import map_slides
from slidecaf.segmentation.maps import read_map
from slidecaf.segmentation.solver.patch_models import read_models, write_models
from slidecaf.segmentation.training import fit_parts
from tests.unit.batch_jobs import done_twice, manifest, of
from tests.unit.segmentation.conftest import SIDE, SIZE

MANIFEST = "results/segmentation/m/plain/maps/batch-0.tsv"


@pytest.fixture
def models(files, monkeypatch):
    monkeypatch.chdir(files.folder)
    made = {part: files.folder / part / "model.h5" for part in files.parts}
    fit_parts(
        made,
        **{"features": files.features, "labels": files.labels, "folds": files.folds, "hard": {}, "copies": 0},
        **{"training_stride": 16, "inner_folds": 2, "C": files.C, "max_iter": 1000, "seed": 0},
        **{"memory": 2**28, "threads": 1, "on_bad_slide": "exclude"},
    )
    return made


def job(files, models, slides):
    listed = manifest("features.tsv", {slide: files.features[slide] for slide in slides})
    settings = of("segmentation", inner_folds=2, seed=0)
    own = {slide: {} for slide in slides}
    map_slides(MANIFEST, own, settings, groups=files.folds, features=listed, models=models)


def mean_of_patches(files, slide, coef, intercept):
    """Each pixel's mean over all patches that contain it, pixel by pixel; NaN where there is none."""
    total, count = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    with open_features(files.features[slide]) as file:
        for (x, y), values in zip(file["coords"][:], file["features"][:].astype(float), strict=True):
            total[y : y + SIZE, x : x + SIZE] += values @ coef + intercept
            count[y : y + SIZE, x : x + SIZE] += 1
    with np.errstate(invalid="ignore"):
        return total / count


def test_a_slides_maps_are_those_of_the_models_that_never_saw_it(files, models):
    assert done_twice(lambda: job(files, models, "abe"), MANIFEST) == ["a", "b", "e"]
    for slide in "abe":
        mapped = [problem for problem in files.listed if slide in problem.mapped]
        assert mapped
        for problem in mapped:
            assert slide not in problem.trained_on
            model, C = read_models(models[problem.part], problem.inner)
            for k, value in enumerate(C):
                found = read_map(f"results/segmentation/m/plain/maps/{slide}.h5", problem.part, value)
                expected = mean_of_patches(files, slide, model.coef[k], model.intercept[k])
                # the grid has a cell a stride
                np.testing.assert_allclose(np.kron(found, np.ones((8, 8))), expected, rtol=1e-4, atol=1e-4)


def test_a_slide_that_could_not_be_read_has_no_map(files, models):
    job(files, models, "f")
    with h5py.File("results/segmentation/m/plain/maps/f.h5") as file:
        assert file.attrs["status"] == "unreadable"


def made_from(slide):
    with h5py.File(f"results/segmentation/m/plain/maps/{slide}.h5") as file:
        return file.attrs["made_from"]


def test_other_models_of_a_part_map_again_the_slides_that_it_maps(files, models):
    job(files, models, "abcde")
    before = {slide: made_from(slide) for slide in "abcde"}
    inner = [problem.inner for problem in files.listed if problem.part == "fold-1"]
    own = [replace(model, coef=2 * model.coef) for model in (read_models(models["fold-1"], fold)[0] for fold in inner)]
    write_models(models["fold-1"], own, C=files.C, inner=inner)
    job(files, models, "abcde")
    changed = {slide for slide in "abcde" if made_from(slide) != before[slide]}
    assert changed == {slide for slide in "abcde" if "fold-1" in files.mapped_by(slide)}

"""Patches in the context of their slide, held against the formulas written out."""

import h5py
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from slidecaf.features.file import open_features
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.segmentation.candidates import models_of, put_told, read_told
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.choice import Judged, choose_on_maps
from slidecaf.segmentation.context import ROWS, InContext, SlideContext, on_slide, slide_statistics
from slidecaf.segmentation.hard_examples import find_hard_examples
from slidecaf.segmentation.labels import read_patch_labels
from slidecaf.segmentation.maps import read_map, write_maps
from slidecaf.segmentation.solver.patch_models import read_models
from tests.unit.segmentation.test_mapping import job, mean_of_patches
from tests.unit.segmentation.test_training import fit


@pytest.fixture
def features():
    values = np.random.default_rng(0).gamma(0.5, 3, (2 * ROWS + 77, 6)).astype(np.float16)
    values[:, 2] = 0.1  # does not vary
    values[:, 3] = 1000 + (values[:, 3] > 1)  # hardly varies beside its mean
    return values, np.random.default_rng(1).random(len(values)) > 0.2


def test_statistics_are_mean_and_deviation_of_valid_patches(features):
    values, valid = features
    found = slide_statistics(values, valid)
    own = values[valid].astype(np.float64)
    np.testing.assert_allclose(found.mean, own.mean(axis=0), rtol=1e-12)
    varies = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(found.inverse[varies], 1 / own.std(axis=0)[varies], rtol=1e-9)
    assert found.inverse[2] == 0


def test_what_is_not_valid_changes_no_bit(features):
    values, valid = features
    other = values.copy()
    other[~valid] = np.nan
    first, second = slide_statistics(values, valid), slide_statistics(other, valid)
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.inverse, second.inverse)


def test_a_slide_without_a_valid_patch_has_no_context(features):
    values, valid = features
    found = slide_statistics(values, np.zeros_like(valid))
    assert not found.mean.any()
    assert not found.inverse.any()


def test_a_file_gives_the_same_as_memory(features, tmp_path):
    values, valid = features
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["features"], file["valid"] = values, valid
        found = slide_statistics(file["features"], file["valid"])
    np.testing.assert_array_equal(found.mean, slide_statistics(values, valid).mean)


def test_models_in_context_are_models_of_the_slide(features):
    values, valid = features
    rng = np.random.default_rng(2)
    coef, intercept = rng.normal(size=(3, 12)), rng.normal(size=3)
    wide = values.astype(np.float64)
    own = wide[valid]
    deviation = own.std(axis=0)
    z = np.where(deviation > 0, (wide - own.mean(axis=0)) / np.where(deviation > 0, deviation, 1), 0)
    u, v = coef[:, :6], coef[:, 6:]
    found = on_slide(coef, intercept, slide_statistics(values, valid))
    np.testing.assert_allclose(wide @ found[0].T + found[1], wide @ u.T + z @ v.T + intercept, rtol=1e-9, atol=1e-9)


def test_models_of_vectors_as_they_are_look_at_no_slide():
    context = SlideContext(np.zeros((0, 6), np.float16), None)
    coef, intercept = np.ones((2, 6)), np.zeros(2)
    assert context.of(coef, intercept) == (coef, intercept)


def test_what_a_stain_does_to_a_feature_as_a_whole_does_not_reach_z(features):
    """Doubled and halved features: exact in 16 bit."""
    values, valid = features
    moved = values * np.array([2, 0.5, 4, 1, 0.25, 8], np.float16)
    one, other = (
        InContext(each, np.zeros(len(values), int), [slide_statistics(each, valid)]) for each in (values, moved)
    )
    np.testing.assert_allclose(one[:][:, 6:], other[:][:, 6:], rtol=1e-5, atol=1e-5)


def test_rows_are_made_as_they_are_read_each_by_its_slide(features):
    values, valid = features
    halves = np.repeat([0, 1], [100, 50])
    statistics = [slide_statistics(values[:100], valid[:100]), slide_statistics(values[100:150], valid[100:150])]
    found = InContext(values[:150], halves, statistics)
    assert found.shape == (150, 12)
    for row in (0, 99, 100, 149):
        one = statistics[halves[row]]
        expected = (values[row].astype(float) - one.mean) * one.inverse
        np.testing.assert_allclose(found[row : row + 1][0, 6:], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(found[row : row + 1][0, :6], values[row].astype(np.float32))


TOLD = [(0.01, "none"), (0.01, "slide"), (1.0, "none"), (1.0, "slide")]


@pytest.mark.parametrize("models", [[0.01, 1.0], TOLD, [(2, 100), (4, 100)]])
def test_what_tells_models_apart_is_read_as_it_was_written(models, tmp_path):
    with h5py.File(tmp_path / "one.h5", "w") as file:
        put_told(file.attrs, models)
        assert read_told(file.attrs) == models


def vectors_of(files, slide):
    """Features of all patches beside themselves standardised within the slide, and which are of the training grid."""
    with open_features(files.features[slide]) as file:
        values, coords = file["features"][:].astype(float), file["coords"][:]
    return np.hstack([values, StandardScaler().fit_transform(values)]), (coords % 16 == 0).all(axis=1)


def test_every_part_has_models_in_context_and_without_on_the_rows_that_it_may_know(files, made_twice):
    folder = made_twice(lambda folder: fit(files, folder, context=["none", "slide"]))
    plain = fit(files, files.folder / "plain")
    for problem in files.listed:
        model, told = read_models(folder / problem.part / "model.h5", problem.inner)
        assert told == TOLD
        before = read_models(plain[problem.part], problem.inner)[0]
        np.testing.assert_array_equal(model.coef[[0, 2], :5], before.coef)  # without context as ever
        assert not model.coef[[0, 2], 5:].any()
        slides = [slide for slide in problem.trained_on if slide != "f"]
        own, truth = [], []
        for slide in slides:
            vectors, grid = vectors_of(files, slide)
            own.append(vectors[grid])
            truth.append(read_patch_labels(files.labels[slide], len(vectors))[grid])
        own, truth = np.concatenate(own), np.concatenate(truth)
        scaler = StandardScaler().fit(own)
        for k, value in ((1, 0.01), (3, 1.0)):
            svm = LinearSVC(C=value, dual=False, tol=1e-8, max_iter=10_000).fit(scaler.transform(own), truth)
            wanted = svm.decision_function(scaler.transform(own))
            np.testing.assert_allclose(own @ model.coef[k] + model.intercept[k], wanted, atol=2e-2 * abs(wanted).max())


def test_maps_in_context_are_those_of_each_slides_own_model(files, monkeypatch):
    monkeypatch.chdir(files.folder)
    models = fit(files, files.folder, context=["slide"])
    job(files, models, "abe")
    for slide in "abe":
        vectors, _ = vectors_of(files, slide)
        for problem in [problem for problem in files.listed if slide in problem.mapped]:
            model, told = read_models(models[problem.part], problem.inner)
            assert told == [(0.01, "slide"), (1.0, "slide")]
            own = on_slide(model.coef, model.intercept, slide_statistics(vectors[:, :5], np.ones(len(vectors), bool)))
            for k, value in enumerate(told):
                found = read_map(f"results/segmentation/m/plain/maps/{slide}.h5", problem.part, value)
                expected = mean_of_patches(files, slide, own[0][k], own[1][k])
                np.testing.assert_allclose(np.kron(found, np.ones((8, 8))), expected, rtol=1e-3, atol=1e-3)


SIZES = {"smooth": 0, "min_object": 0, "max_hole": 0}


def test_context_is_chosen_with_c_and_of_equals_the_map_without():
    truth = np.zeros((8, 8), np.int64)
    truth[2:6, 2:6] = 1
    good, bad = np.where(truth > 0, 1, -1).astype(np.float32), np.ones((8, 8), np.float32)
    grid = {"C": [1], "context": ["none", "slide"], "smooth": [0], "min_object": [0], "max_hole": [0]}
    assert models_of(grid) == [(1, "none"), (1, "slide")]
    cells = Cells(np.arange(9), np.arange(9))
    for plain, wanted in ((bad, "slide"), (good, "none")):
        maps = {(1, "none"): plain, (1, "slide"): good}
        found = choose_on_maps([Judged("a", cells, truth, maps.__getitem__)], grid=grid)
        assert found["chosen"] == {"C": 1, "context": wanted, **SIZES, "threshold": found["chosen"]["threshold"]}
        assert found["score"] == 1


def test_hard_examples_come_of_the_maps_of_the_chosen_context(files):
    """Maps without context are noise here, so that the other ones are chosen, and with them what they miss."""
    for slide in "abcde":
        truth = np.kron(files.masks[slide][::16, ::16], np.ones((2, 2)))
        good = (truth - 0.5).astype(np.float32)
        noise = np.random.default_rng(7).normal(size=truth.shape).astype(np.float32)
        maps = [(part, TOLD, [noise, noise, noise, good]) for part in files.mapped_by(slide)]
        write_maps(files.maps[slide], maps, status="ok")
    paths = {part: files.folder / f"hard-{part}.tsv" for part in files.parts}
    files_of = {"folds": files.folds, "tiles": files.tiles, "labels": files.labels, "maps": files.maps}
    options = {"training_stride": 16, "stride": 8, "copies": 1, "max_share": 1, "seed": 0}
    summary = files.folder / "summary.json"
    find_hard_examples(paths, summary, **files_of, C=files.C, context=["none", "slide"], **options)
    for part, said in read_json(summary).items():
        assert (said["C"], said["context"]) == (1.0, "slide")
        assert not read_tsv(paths[part])  # these maps are right everywhere


def test_labels_of_a_left_out_slide_reach_no_byte_of_its_part_in_context(files):
    before = fit(files, files.folder / "before", context=["none", "slide"])
    for slide in ("a", "d"):  # those of fold-0
        with h5py.File(files.labels[slide], "r+") as file:
            file["labels"][:] = ~file["labels"][:]
    after = fit(files, files.folder / "after", context=["none", "slide"])
    assert before["fold-0"].read_bytes() == after["fold-0"].read_bytes()
    assert before["fold-1"].read_bytes() != after["fold-1"].read_bytes()

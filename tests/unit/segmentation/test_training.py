"""The SVMs of every part are scikit-learn's on the rows that the part may know."""

import h5py
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.file import open_features
from slidecaf.files.tables import write_tsv
from slidecaf.segmentation import training
from slidecaf.segmentation.labels import count_masks, read_patch_labels, read_truth, write_labels
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.segmentation.training import fit_parts
from slidecaf.tiles.file import read_tiles
from tests.unit.segmentation.conftest import SIDE


def fit(files, folder, **changed):
    models = {part: folder / part / "model.h5" for part in files.parts}
    options = {
        **{"features": files.features, "labels": files.labels, "folds": files.folds, "hard": {}, "copies": 0},
        **{"training_stride": 16, "inner_folds": 2, "C": files.C, "max_iter": 1000, "seed": 0},
        **{"memory": 2**28, "threads": 1, "on_bad_slide": "exclude", "origin": {"revision": "segmentation 1"}},
    }
    fit_parts(models, **{**options, **changed})
    return models


def rows_of(files, slides, hard=(), copies=0):
    """Features and labels of the training grid, hard examples `copies` more times, and how many patches these are."""
    found, truth, count = [], [], 0
    for slide in slides:
        with open_features(files.features[slide]) as file:
            coords, values = file["coords"][:], file["features"][:].astype(float)
        on_grid = (coords % 16 == 0).all(axis=1)
        times = on_grid + np.array([copies * ((slide, *c) in hard) for c in coords.tolist()], int)
        found.append(np.repeat(values, times, axis=0))
        truth.append(np.repeat(read_patch_labels(files.labels[slide], len(coords)), times))
        count += np.count_nonzero(times)
    return np.concatenate(found), np.concatenate(truth), count


def check(files, models, hard=None, copies=0):
    for problem in files.listed:
        model, C = read_models(models[problem.part], problem.inner)
        assert list(files.C) == C
        slides = [slide for slide in problem.trained_on if slide != "f"]
        own, truth, count = rows_of(files, slides, (hard or {}).get(problem.part, ()), copies)
        assert model.rows == count
        scaler = StandardScaler().fit(own)
        for k, value in enumerate(C):
            svm = LinearSVC(C=value, dual=False, tol=1e-8, max_iter=10_000).fit(scaler.transform(own), truth)
            wanted = svm.decision_function(scaler.transform(own))
            np.testing.assert_allclose(own @ model.coef[k] + model.intercept[k], wanted, atol=1e-2 * abs(wanted).max())


def test_every_part_has_its_inner_models_and_its_own_without_the_slides_they_leave_out(files, made_twice):
    folder = made_twice(lambda folder: fit(files, folder))
    models = {part: folder / part / "model.h5" for part in files.parts}
    check(files, models)
    with h5py.File(models["fold-0"]) as file:
        assert set(file) == {"part", "inner-0", "inner-1"}
        assert dict(file.attrs)["revision"] == "segmentation 1"
        assert file.attrs["weights_sha256"] == "0" * 64
    with h5py.File(models["final"]) as file:
        assert set(file) == {"part"}


def test_hard_examples_of_a_part_count_more_in_its_own_models_only(files):
    hard = {part: {("a", 8 * k, 8), ("b", 16, 8 * k), ("c", 24, 16)} for k, part in enumerate(files.parts)}
    paths = {}
    for part, rows in hard.items():
        paths[part] = files.folder / f"hard-{part}.tsv"
        table = [{"slide": slide, "x": x, "y": y, "kind": "missed"} for slide, x, y in sorted(rows)]
        write_tsv(paths[part], ["slide", "x", "y", "kind"], table)
    check(files, fit(files, files.folder / "hard", hard=paths, copies=2), hard, copies=2)


def test_neither_memory_nor_threads_change_a_byte(files):
    plain = fit(files, files.folder / "one")
    other = fit(files, files.folder / "two", memory=1000, threads=2)
    assert all(plain[part].read_bytes() == other[part].read_bytes() for part in files.parts)


@pytest.mark.parametrize("context", [None, ["none", "slide"]])
def test_torch_fits_the_same_models_and_the_files_say_that_it_did(files, context):
    numpys, torchs = (fit(files, files.folder / name, solver=name, context=context) for name in ("numpy", "torch"))
    for part in files.parts:
        with h5py.File(numpys[part]) as plain, h5py.File(torchs[part]) as file:
            assert file.attrs["solver"] in ("torch, cpu", "torch, cuda")
            assert set(file.attrs) == {*plain.attrs, "solver"}
            assert set(file) == set(plain)
            for group in file:
                wanted, found = plain[f"{group}/coef"][:], file[f"{group}/coef"][:]
                np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
                np.testing.assert_allclose(file[f"{group}/intercept"], plain[f"{group}/intercept"], rtol=1e-2)


def test_labels_of_slides_that_a_part_leaves_out_change_no_byte_of_what_torch_fits(files):
    before = fit(files, files.folder / "before", solver="torch")
    known = {slide for problem in files.listed if problem.part == "fold-0" for slide in problem.trained_on}
    left_out = sorted(set("abcde") - known)
    assert left_out
    for slide in left_out:
        with h5py.File(files.labels[slide], "r+") as file:
            file["labels"][:] = ~file["labels"][:]
    after = fit(files, files.folder / "after", solver="torch")
    assert before["fold-0"].read_bytes() == after["fold-0"].read_bytes()
    assert before["final"].read_bytes() != after["final"].read_bytes()


def test_a_slide_that_could_not_be_read_is_an_error_where_bad_slides_fail(files):
    with pytest.raises(SlideError, match="slide f: it could not be read"):
        fit(files, files.folder / "one", on_bad_slide="fail")
    assert not (files.folder / "one" / "final" / "model.h5").exists()


def test_constant_models_and_fits_that_were_not_done_are_said(files, caplog):
    for slide in "bcde":  # without them fold-0's models see one class
        with h5py.File(files.labels[slide], "r+") as file:
            file["labels"][:] = False
    with caplog.at_level("WARNING", logger="slidecaf"):
        fit(files, files.folder / "one", max_iter=1)
    assert "fold-0: all" in caplog.text
    assert "patches are without necrosis: its confidence is constant" in caplog.text
    assert "final: C = 1.0 did not converge in 1 steps" in caplog.text


@pytest.mark.parametrize("marked", [0, 1])
def test_masks_that_leave_nothing_to_tell_apart_are_an_error_before_any_fit(files, monkeypatch, marked):
    """Empty masks would be predicted as empty, at a mean score of 1."""
    monkeypatch.setattr(training, "fit_left_out", None)
    for slide in "abcde":
        truth = read_truth(files.labels[slide])
        mask = np.full((SIDE, SIDE), bool(marked))
        labels = np.full(len(read_tiles(files.tiles[slide])[0]), bool(marked))
        values = "0, 255" if slide < "c" else ""
        write_labels(files.labels[slide], count_masks(truth.cells, [mask]), labels, status="ok", values=values)
    said = "all" if marked else "no"
    wanted = f"sheets/masks.tsv, column mask: {said} px of its 5 training masks are foreground"
    with pytest.raises(SlidecafError, match=wanted) as raised:
        fit(files, files.folder / "one", sheet="sheets/masks.tsv")
    assert "(values: 0, 255); correct segmentation.mask_value" in str(raised.value)
    assert not (files.folder / "one").exists()

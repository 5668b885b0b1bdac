"""Pooled vectors of a batch of slides."""

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.file import write_features
from slidecaf.pooling.batch import pool_slides
from slidecaf.pooling.file import read_pooled
from tests.unit.batch_jobs import done_twice, manifest, of

MANIFEST = "results/pooled/cnn/batch-2.tsv"


def features(slide, values, valid=None, status="ok"):
    values = np.asarray(values, np.float16).reshape(-1, 3)
    path = f"features/{slide}.h5"
    attributes = {"status": status, "weights_sha256": "ab" * 32}
    coords = np.zeros((len(values), 2), np.int64)
    with write_features(path, coords, 3, coords_attributes={}, attributes=attributes) as writer:
        writer.append(values, np.ones(len(values), bool) if valid is None else np.array(valid))
    return path


def job(files, norms=(3, 1, "inf")):
    listed = manifest("features/batch-2.tsv", files)
    pool_slides(MANIFEST, {slide: {} for slide in files}, of("pooling", norms=list(norms)), features=listed)


def test_vectors_are_norms_over_valid_patches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.array([[1, 2, 0], [3, 4, 8], [100, 100, 100]])
    files = {"a": features("a", values, [True, True, False]), "bad": features("bad", [], status="unreadable")}
    assert done_twice(lambda: job(files), MANIFEST) == ["a", "bad"]
    vectors, patches, status = read_pooled("results/pooled/cnn/a.h5", ["3", "1", "inf"])
    kept = values[:2].astype(float)
    np.testing.assert_allclose(vectors["3"], (kept**3).mean(axis=0) ** (1 / 3))
    np.testing.assert_allclose(vectors["1"], kept.mean(axis=0))
    np.testing.assert_allclose(vectors["inf"], kept.max(axis=0))
    assert (patches, status) == (2, "ok")
    vectors, patches, status = read_pooled("results/pooled/cnn/bad.h5", ["3"])
    assert (patches, status) == (0, "unreadable")


def test_changed_features_are_pooled_anew_and_others_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {slide: features(slide, [[1, 2, 3]]) for slide in "ab"}
    job(files)
    before = (tmp_path / "results/pooled/cnn/a.h5").stat().st_mtime_ns
    features("b", [[5, 5, 5]])
    job(files)
    assert (tmp_path / "results/pooled/cnn/a.h5").stat().st_mtime_ns == before
    np.testing.assert_allclose(read_pooled("results/pooled/cnn/b.h5", ["1"])[0]["1"], 5)


def test_a_norm_that_negative_values_have_not_names_the_slide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SlidecafError, match=r"1 of the 2 slides of this job failed \(b\)"):
        job({"a": features("a", [[1, 2, 3]]), "b": features("b", [[1, -2, 3]])})
    assert (tmp_path / "results/pooled/cnn/a.h5").is_file()

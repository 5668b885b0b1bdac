"""Another program's files taken in, a batch of slides at a time."""

import hashlib

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.exchange.batch import import_features, import_tiles
from slidecaf.features.file import open_features
from slidecaf.tiles.file import read_tiles
from tests.imported_study import COUNT, DIMENSION, ENCODER, SIDE, SIZE, trident_file
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

TILES, FEATURES = "results/tiles/uni/batch-3.tsv", "results/features/uni/batch-3.tsv"
SETTINGS = of("exchange", imported={"format": "trident", "folder": "features_uni"})


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Two slides, each with TRIDENT's file."""
    monkeypatch.chdir(tmp_path)
    for slide in "ab":
        trident_file(tmp_path / f"job/features_uni/{slide}.h5")
    return {slide: picture(f"{slide}.png", np.zeros((SIZE, SIZE, 3), np.uint8)) for slide in "ab"}


def job(paths, on_bad_slide="fail"):
    slides = {slide: {"digest": slide, "mpp": 0.5, "scene": "", "files": [file_digest(slide)]} for slide in paths}
    options = {
        "sources": {slide: [f"job/features_uni/{slide}.h5"] for slide in paths},
        "first": "job/features_uni/a.h5",
        "paths": paths,
        "limits": LIMITS,
        "on_bad_slide": on_bad_slide,
    }
    return (
        lambda: import_tiles(TILES, slides, SETTINGS, **options),
        lambda: import_features(FEATURES, slides, SETTINGS, tiles=TILES, **options),
    )


def file_digest(slide):
    with open(f"job/features_uni/{slide}.h5", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_patches_and_features_are_those_of_the_files_in_the_order_of_their_place(paths):
    for made, manifest in zip(job(paths), (TILES, FEATURES), strict=True):
        assert done_twice(made, manifest) == ["a", "b"]
    coords, attributes = read_tiles("results/tiles/uni/a.h5")
    assert coords.tolist() == [[x, y] for y in range(0, SIZE, SIDE) for x in range(0, SIZE, SIDE)]
    assert (attributes["patch_size_level0"], attributes["status"], attributes["regular"]) == (SIDE, "ok", True)
    with open_features("results/features/uni/a.h5") as file, h5py.File("job/features_uni/a.h5") as source:
        places = source["coords"][:]
        order = np.lexsort(places.T)
        np.testing.assert_array_equal(coords, places[order])
        expected = source["features"][:].astype(np.float16)[order]
        np.testing.assert_array_equal(file["features"][:], expected)
        assert file["features"].shape == (COUNT, DIMENSION)
        assert file["valid"][:].all()
        assert file["features"].attrs["encoder"] == ENCODER
        assert file["features"].attrs["extraction"] == "imported"


def test_a_slide_whose_file_changed_is_taken_in_again_alone(paths, tmp_path):
    for made in job(paths):
        made()
    before = (tmp_path / "results/features/uni/a.h5").stat().st_mtime_ns
    trident_file(tmp_path / "job/features_uni/b.h5", encoder="other numbers")
    for made in job(paths):
        made()
    assert (tmp_path / "results/features/uni/a.h5").stat().st_mtime_ns == before
    with open_features("results/features/uni/b.h5") as file:
        assert file["features"].attrs["encoder"] == "other numbers"


@pytest.mark.parametrize("fault", ["slide", "file", "length"])
def test_a_slide_or_file_that_will_not_do_fails_or_is_left_out(paths, tmp_path, fault):
    if fault == "slide":
        broken("b.png")
    elif fault == "file":
        (tmp_path / "job/features_uni/b.h5").write_bytes(b"no HDF5")
    else:
        trident_file(tmp_path / "job/features_uni/b.h5", dimension=DIMENSION + 1)
    with pytest.raises(SlidecafError, match=r"failed \(b\)"):
        job(paths)[0]()
    if fault == "length":  # of two encoders: no bad slide, but a wrong study
        with pytest.raises(SlidecafError, match=r"failed \(b\)"):
            job(paths, "exclude")[0]()
        return
    for made in job(paths, "exclude"):
        made()
    assert read_tiles("results/tiles/uni/b.h5")[1]["status"] == "unreadable"
    with open_features("results/features/uni/b.h5") as file:
        assert (file["features"].attrs["status"], len(file["features"])) == ("unreadable", 0)
    with open_features("results/features/uni/a.h5") as file:
        assert len(file["features"]) == COUNT

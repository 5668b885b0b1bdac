"""Test slides judged as the network gives their features: as from features that were stored."""

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.batch import extract_slides
from slidecaf.features.describe import describe_encoder
from slidecaf.features.extraction import slide as extractions
from slidecaf.features.file import open_features
from slidecaf.files.tables import read_json
from slidecaf.segmentation import judging
from slidecaf.segmentation.context import SlideContext
from slidecaf.segmentation.judging import judge_slides
from slidecaf.segmentation.maps import confidences, read_confidences
from slidecaf.segmentation.solver.patch_models import PatchModels, write_models
from slidecaf.tiles.batch import tile_slides
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

SPEC = {"model": "squeezenet1_0", "layer": "features.2", "weights": "random:0", "input_size": 32}
TILING = {"patch_size": 32, "stride": 32}
C = [0.1, 1.0]
TILES, ENCODER = "results/tiles/cnn/batch-1.tsv", "results/encoders/cnn.json"
MANIFEST = "results/segmentation/m/confidences/batch-1.tsv"
FEATURES = {"tiling": TILING, "encoder": SPEC, "store": "train"}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A model a variant, drawn at random, of both C."""
    monkeypatch.chdir(tmp_path)
    describe_encoder(ENCODER, SPEC, precision="fp32")
    made, length = {}, read_json(ENCODER)["dimension"]
    for seed, variant in enumerate(("plain", "hard")):
        rng = np.random.default_rng(seed)
        model = PatchModels(rng.normal(size=(2, length)), rng.normal(size=2), False, np.ones(2, bool), 9, 4)
        write_models(f"{variant}/final/model.h5", [model], C=C, inner=[None])
        made[variant] = model
    return made


def paths_of(*slides):
    rng = np.random.default_rng(0)
    return {slide: picture(f"{slide}.png", rng.integers(0, 256, (32, 96, 3), dtype=np.uint8)) for slide in slides}


def common(paths, on_bad_slide):
    return {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths}, {
        **{"paths": paths, "limits": LIMITS, "on_bad_slide": on_bad_slide},
    }


def judge(paths, on_bad_slide="fail"):
    slides, options = common(paths, on_bad_slide)
    judge_slides(
        MANIFEST,
        slides,
        of("segmentation", features=FEATURES),
        tiles=TILES,
        encoder=ENCODER,
        models={variant: f"{variant}/final/model.h5" for variant in ("plain", "hard")},
        max_unreadable=0.0,
        threads=1,
        **options,
    )


def tile(paths, on_bad_slide="fail"):
    slides, options = common(paths, on_bad_slide)
    tile_slides(TILES, slides, of("tiles", tiling=TILING), **options)


@pytest.mark.parametrize("on", ["cuda", "cpu"], ids=["judged by NumPy", "judged where the network runs"])
def test_confidences_are_those_of_features_that_are_stored(models, monkeypatch, on):
    monkeypatch.setattr(extractions, "JUDGED_ON", {on})
    paths = paths_of("t", "u")
    tile(paths)
    assert done_twice(lambda: judge(paths), MANIFEST) == ["t", "u"]
    slides, options = common(paths, "fail")
    stored = "results/features/cnn/batch-1.tsv"
    own = of("features", features=FEATURES)
    extract_slides(stored, slides, own, tiles=TILES, encoder=ENCODER, max_unreadable=0.0, threads=1, **options)
    for slide in paths:
        with open_features(f"results/features/cnn/{slide}.h5") as file:
            features = file["features"][:].astype(float)
        assert len(features) == 3
        for variant, model in models.items():
            for k, value in enumerate(C):
                found = read_confidences(f"results/segmentation/m/confidences/{slide}.h5", variant, value)
                expected = features @ model.coef[k] + model.intercept[k]
                np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("held", [0, 2**20])
def test_models_in_context_judge_a_slide_once_it_is_whole_as_from_a_file(models, monkeypatch, held):
    monkeypatch.setattr(judging, "HELD", held)  # on disk, and in memory
    told, length = [(0.1, "none"), (0.1, "slide")], read_json(ENCODER)["dimension"]
    coef = np.random.default_rng(5).normal(size=(2, 2 * length))
    coef[0, length:] = 0
    in_context = PatchModels(coef, np.ones(2), False, np.ones(2, bool), 9, 4)
    for variant in models:
        write_models(f"{variant}/final/model.h5", [in_context], C=told, inner=[None])
    paths = paths_of("t", "u")
    tile(paths)
    assert done_twice(lambda: judge(paths), MANIFEST) == ["t", "u"]
    slides, options = common(paths, "fail")
    own = of("features", features=FEATURES)
    stored = "results/features/cnn/batch-1.tsv"
    extract_slides(stored, slides, own, tiles=TILES, encoder=ENCODER, max_unreadable=0.0, threads=1, **options)
    for slide in paths:
        with open_features(f"results/features/cnn/{slide}.h5") as file:
            expected = confidences(file, *SlideContext(file["features"], file["valid"]).of(coef, np.ones(2)))
        for k, one in enumerate(told):
            found = read_confidences(f"results/segmentation/m/confidences/{slide}.h5", "hard", one)
            np.testing.assert_array_equal(found, expected[k])


def test_a_slide_that_is_damaged_after_its_tiles_were_found_fails_or_has_no_confidence(models):
    paths = paths_of("t", "u")
    tile(paths)
    broken("u.png")
    with pytest.raises(SlidecafError, match=r"1 of the 2 slides of this job failed \(u\)"):
        judge(paths)
    assert done_twice(lambda: judge(paths, "exclude"), MANIFEST) == ["t", "u"]
    assert np.isnan(read_confidences("results/segmentation/m/confidences/u.h5", "hard", 1.0)).all()
    assert not np.isnan(read_confidences("results/segmentation/m/confidences/t.h5", "hard", 1.0)).any()


def test_a_slide_without_patches_has_no_confidence(models):
    paths = {"bad": broken("bad.png")}
    tile(paths, "exclude")
    judge(paths, "exclude")
    assert len(read_confidences("results/segmentation/m/confidences/bad.h5", "plain", 0.1)) == 0


def test_another_model_judges_again(models):
    paths = paths_of("t")
    tile(paths)
    judge(paths)
    before = read_confidences("results/segmentation/m/confidences/t.h5", "plain", 1.0)
    model = models["plain"]
    shifted = PatchModels(model.coef, model.intercept + 1, False, np.ones(2, bool), 9, 4)
    write_models("plain/final/model.h5", [shifted], C=C, inner=[None])
    judge(paths)
    after = read_confidences("results/segmentation/m/confidences/t.h5", "plain", 1.0)
    np.testing.assert_allclose(after, before + 1, rtol=1e-4, atol=1e-4)

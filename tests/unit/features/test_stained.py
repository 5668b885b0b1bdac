"""Features of slides whose stain is normalised: those of pictures that were normalised beforehand."""

import json

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.batch import describe_slides, extract_slides
from slidecaf.features.file import open_features
from slidecaf.features.shards import read_shard
from slidecaf.features.whole import extract_shard
from slidecaf.slides import open_slide, stain
from slidecaf.slides.hair import remove_hair
from slidecaf.tiles.batch import tile_slides
from tests.unit.batch_jobs import LIMITS, done_twice, of, picture
from tests.unit.slides.test_stain import stained

ENCODER = {"model": "squeezenet1_0", "layer": "features.2", "weights": "random:0", "input_size": 32}
TILES, MANIFEST = "results/tiles/cnn/batch-0.tsv", "results/features/cnn/batch-0.tsv"
SHARD = "results/features/whole/shard-0.tsv"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture("target.png", stained(5, strength=(1.3, 0.8)))
    return {slide: picture(f"{slide}.png", stained(seed)) for seed, slide in enumerate("ab")}


def settings(method, **own):
    image = {"image": {"stain": {"method": method, "target": "folder/target.png"}}} if method else {}
    encoder = {} if own.get("kind") == "manual" else {"encoder": ENCODER}
    return {"tiling": {"patch_size": 32, "stride": 16}, **encoder, **image, **own}


def options(paths, method, on_bad_slide="fail"):
    target = {"name": "target.png", "path": "target.png", "mpp": None, "scene": ""} if method else None
    return {"paths": paths, "limits": LIMITS, "on_bad_slide": on_bad_slide, "threads": 1, "target": target}


def slides_of(paths):
    return {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths}


def extract(paths, method, folder="", on_bad_slide="fail", **own):
    chosen, tiles, manifest = settings(method, **own), folder + TILES, folder + MANIFEST
    read = {"paths": paths, "limits": LIMITS, "on_bad_slide": on_bad_slide}
    tile_slides(tiles, slides_of(paths), of("tiles", tiling=chosen["tiling"]), **read)
    how = options(paths, method, on_bad_slide) | {"max_unreadable": 0.0}
    make = describe_slides if chosen.get("kind") == "manual" else extract_slides
    step = "manual_features" if chosen.get("kind") == "manual" else "features"
    make(manifest, slides_of(paths), of(step, features=chosen), tiles=tiles, **how)
    return folder + "results/features/cnn"


def normalised(paths, method):
    target, made = stain.fit(open_slide("target.png", name="t"), method), {}
    for slide, path in paths.items():
        with open_slide(path, name=slide) as opened:
            stain.normalise(opened, target, method)
            made[slide] = picture(f"before/{slide}.png", opened.read(0, 0, opened.width, opened.height))
    return made


@pytest.mark.parametrize("kind", ["network", "manual"])
@pytest.mark.parametrize(("method", "extraction"), [("reinhard", "patchwise"), ("macenko", "dense")])
def test_features_are_those_of_pictures_that_were_normalised_beforehand(study, method, extraction, kind):
    own = {"extraction": extraction, "kind": kind}
    folder = extract(study, method, **own)
    before = extract(normalised(study, method), None, "before/", **own)
    plain = extract(study, None, "plain/", **own)
    for slide in study:
        with open_features(f"{folder}/{slide}.h5") as file, open_features(f"{before}/{slide}.h5") as expected:
            np.testing.assert_array_equal(file["features"][:], expected["features"][:])
            said = json.loads(file["features"].attrs["stain"])
            config = json.loads(file["features"].attrs["config"])
        with open_slide(study[slide], name=slide) as opened, open_slide("target.png", name="t") as target:
            fits = {
                "from": stain.described(stain.fit(opened, method)),
                "to": stain.described(stain.fit(target, method)),
            }
        assert said == {"method": method, "target": "target.png", **fits}
        assert config["image"] == {"stain": {"method": method, "target": "target.png"}}  # a name, wherever it lies
        with open_features(f"{plain}/{slide}.h5") as file:
            assert "stain" not in file["features"].attrs
            assert "image" not in json.loads(file["features"].attrs["config"])


def test_whole_images_are_normalised_too(study):
    def shard(paths, method, path):
        chosen = of("features", features=settings(method, tiling="whole"))
        extract_shard(path, slides_of(paths), chosen, **options(paths, method))
        return read_shard(path.replace(".tsv", ".h5"))

    assert done_twice(lambda: shard(study, "reinhard", SHARD), SHARD) == ["a", "b"]
    found = read_shard(SHARD.replace(".tsv", ".h5"))
    expected = shard(normalised(study, "reinhard"), None, f"before/{SHARD}")
    for slide in study:
        np.testing.assert_array_equal(found[slide].features, expected[slide].features)
    with h5py.File(SHARD.replace(".tsv", ".h5")) as file:
        config = json.loads(file["features"].attrs["config"])
    assert config["image"] == {"fit": "stretch", "stain": {"method": "reinhard", "target": "target.png"}}


def test_a_further_slide_changes_no_byte_of_the_others(study):
    alone = extract({"a": study["a"]}, "reinhard", "alone/")
    both = extract(study, "reinhard", "both/")
    with open_features(f"{alone}/a.h5") as one, open_features(f"{both}/a.h5") as other:
        assert one["features"].attrs["stain"] == other["features"].attrs["stain"]
        np.testing.assert_array_equal(one["features"][:], other["features"][:])


def test_a_slide_that_cannot_be_fitted_fails_or_is_left_out_and_a_bad_target_leaves_none_out(study):
    study["pale"] = picture("pale.png", np.full((60, 80, 3), 230, np.uint8))
    with pytest.raises(SlidecafError, match=r"1 of the 3 slides of this job failed \(pale\)"):
        extract(study, "macenko", "fail/")
    folder = extract(study, "macenko", "left/", on_bad_slide="exclude")
    with open_features(f"{folder}/pale.h5") as file:
        assert file["features"].attrs["status"] == "unreadable"
    with open_features(f"{folder}/a.h5") as file:
        assert file["features"].attrs["status"] == "ok"
    picture("target.png", np.full((60, 80, 3), 230, np.uint8))
    with pytest.raises(SlidecafError, match=r"3 of the 3 slides of this job failed|image\.stain\.target: "):
        extract(study, "macenko", "target/", on_bad_slide="exclude")


@pytest.mark.parametrize("way", ["network", "manual", "whole"])
def test_features_without_hair_are_those_of_pictures_that_were_shaved_beforehand(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    pixels = np.full((96, 96, 3), (220, 170, 150), np.uint8)
    pixels[::7, ::5] = (180, 120, 100)
    hairy = pixels.copy()
    hairy[:, 40:43] = 20
    asked = {"image": {"hair_removal": True}}
    made = {}
    for name, own, further in (("hairy", hairy, asked), ("shaved", remove_hair(hairy), {}), ("left", hairy, {})):
        paths = {"a": picture(f"{name}.png", own)}
        if way == "whole":
            chosen = {"tiling": "whole", "encoder": ENCODER, "image": {"fit": "stretch"} | further.get("image", {})}
            manifest = f"{name}/{SHARD}"
            extract_shard(manifest, slides_of(paths), of("features", features=chosen), **options(paths, None))
            made[name] = read_shard(manifest.replace(".tsv", ".h5"))["a"].features
        else:
            folder = extract(paths, None, f"{name}/", kind=way, **further)
            with h5py.File(f"{folder}/a.h5") as file:
                made[name] = file["features"][:].astype(np.float32)
                said = json.loads(file["features"].attrs["config"])
                assert said.get("image") == further.get("image")
    np.testing.assert_array_equal(made["hairy"], made["shaved"])
    assert not np.array_equal(made["hairy"], made["left"])

"""The features of a shard of whole images: made once, kept where nothing changed, and never half."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.features.describe import describe_encoder
from slidecaf.features.extraction.whole import square
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.shards import read_shard
from slidecaf.features.whole import extract_shard
from slidecaf.files.manifests import Token, paths_by_set
from slidecaf.files.tables import read_json
from slidecaf.slides import open_slide
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

SPEC = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
MANIFEST, SHARD = "results/features/whole/shard-3.tsv", "results/features/whole/shard-3.h5"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Images of several sizes."""
    monkeypatch.chdir(tmp_path)
    return {
        slide: picture(f"{slide}.png", np.random.default_rng(k).integers(0, 256, (60 + k, 90, 3), np.uint8))
        for k, slide in enumerate("abcde")
    }


def job(paths, *, on_bad_slide="fail", encoder=None, digests=None, weights="", **features):
    extract_shard(
        MANIFEST,
        {slide: {"digest": (digests or {}).get(slide, slide), "mpp": None, "scene": ""} for slide in paths},
        {**of("features", features={"tiling": "whole", "encoder": SPEC, **features}), "weights": weights},
        encoder=encoder,
        paths=paths,
        limits=LIMITS,
        on_bad_slide=on_bad_slide,
        threads=2,
    )


def asked_for(monkeypatch):
    """Return a list that grows by every image whose features are computed."""
    from slidecaf.features.extraction.slide import Extraction

    asked, extract = [], Extraction.extract_whole
    watched = lambda self, images: asked.extend(image.name for image in images) or extract(self, images)  # noqa: E731
    monkeypatch.setattr(Extraction, "extract_whole", watched)
    return asked


def test_features_are_the_networks_own_and_say_where_they_come_from(paths):
    assert done_twice(lambda: job(paths), MANIFEST) == list("abcde")
    assert paths_by_set([MANIFEST]) == {"whole": dict.fromkeys("abcde", SHARD)}
    encoder = load_encoder(SPEC)
    found = read_shard(SHARD)
    assert list(found) == list("abcde")
    for slide, path in paths.items():
        with open_slide(path) as opened:
            expected = encoder(square(opened, 64, "stretch")[None]).numpy()
            size = opened.width, opened.height
        np.testing.assert_allclose(found[slide].features, expected, rtol=2e-3, atol=2e-3)
        assert (found[slide].status, found[slide].slide_digest) == ("ok", slide)
        assert (found[slide].level0_width, found[slide].level0_height) == size
    with h5py.File(SHARD) as file:
        said, root = dict(file["features"].attrs), dict(file.attrs)
    assert (said["encoder"], said["layer"], said["extraction"]) == ("squeezenet1_0", "features", "patchwise")
    assert said["weights_sha256"] == root["weights_sha256"] == encoder.sha256
    config = json.loads(said["config"])
    assert (config["tiling"], config["image"]) == ("whole", {"fit": "stretch"})
    assert "shards" not in config


def test_a_network_is_described_by_a_shard_that_it_gave(paths):
    job(paths)
    describe_encoder("by-shard.json", SPEC, precision="fp32", features=MANIFEST)
    describe_encoder("first.json", SPEC, precision="fp32")
    assert read_json("by-shard.json") == read_json("first.json")
    before = Path(SHARD).read_bytes()
    Path(SHARD).unlink()
    job(paths, encoder="first.json")
    assert Path(SHARD).read_bytes() == before


def test_a_changed_and_a_further_image_are_computed_alone_with_the_bytes_of_a_shard_made_at_once(paths, monkeypatch):
    some = {slide: paths[slide] for slide in "acde"}
    job(some)
    asked = asked_for(monkeypatch)
    picture(paths["c"], np.full((80, 80, 3), 77, np.uint8))
    job(paths, digests={"c": "changed"})
    assert asked == ["b", "c"]
    step_by_step = Path(SHARD).read_bytes()
    Path(SHARD).unlink()
    job(paths, digests={"c": "changed"})
    assert Path(SHARD).read_bytes() == step_by_step
    del asked[:]
    job(some, digests={"c": "changed"})  # an image left the sheet
    assert asked == []
    assert list(read_shard(SHARD)) == list("acde")


def test_other_settings_compute_all_anew_and_other_bytes_of_a_weights_file_nothing(paths, monkeypatch):
    job(paths, weights="one")
    asked = asked_for(monkeypatch)
    job(paths, weights="other")
    assert asked == []
    stretched = read_shard(SHARD)["a"].features
    job(paths, image={"fit": "pad"})
    assert asked == list("abcde")
    assert not np.array_equal(read_shard(SHARD)["a"].features, stretched)


def test_an_image_that_cannot_be_read_fails_while_the_others_are_kept_or_has_no_vector(paths, monkeypatch, caplog):
    broken(paths["b"])
    with pytest.raises(SlidecafError, match=r"1 of the 5 images of this shard failed \(b\)"):
        job(paths)
    assert "slide b: b.png" in caplog.text
    assert not Path(MANIFEST).exists()
    assert list(read_shard(SHARD)) == list("acde")
    asked = asked_for(monkeypatch)
    job(paths, on_bad_slide="exclude")
    assert asked == ["b"]
    found = read_shard(SHARD)
    assert list(found) == list("abcde")
    assert (found["b"].status, found["b"].features.shape) == ("unreadable", (0, 512))
    # what failed before leaves no trace: the bytes are those of a shard that was made at once
    with_bad = Path(SHARD).read_bytes()
    Path(SHARD).unlink()
    job(paths, on_bad_slide="exclude")
    assert Path(SHARD).read_bytes() == with_bad


def test_a_shard_of_unreadable_images_alone_is_written_and_one_that_fails_whole_leaves_no_file(paths):
    bad = {"b": broken(paths["b"])}
    with pytest.raises(SlidecafError, match="1 of the 1 images"):
        job(bad)
    assert not Path(SHARD).exists()
    job(bad, on_bad_slide="exclude")
    assert read_shard(SHARD)["b"].status == "unreadable"


def test_a_damaged_or_deleted_shard_is_made_again_with_the_same_bytes(paths, caplog):
    job(paths)
    good = Path(SHARD).read_bytes()
    spoilt = bytearray(good)
    spoilt[len(good) // 2] ^= 255
    Path(SHARD).write_bytes(spoilt)
    token = Token(MANIFEST).look()  # the plan's look: the job's params change
    assert token
    job(paths)
    assert Path(SHARD).read_bytes() == good
    assert Token(MANIFEST).look() == token
    assert "is not what a job wrote" in caplog.text
    Path(SHARD).unlink()
    assert Token(MANIFEST).look() != token
    job(paths)
    assert Path(SHARD).read_bytes() == good


GREY16 = (np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16).astype(np.uint16)


@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        ("grey.png", lambda path: Image.new("L", (64, 64), 90).save(path), (90, 90, 90)),
        ("alpha.png", lambda path: Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path), (255, 255, 255)),
        ("cmyk.jpg", lambda path: Image.new("CMYK", (64, 64), (0, 0, 0, 0)).save(path), (255, 255, 255)),
        ("palette.png", lambda path: Image.new("RGB", (64, 64), (9, 60, 200)).quantize().save(path), (9, 60, 200)),
        ("grey16.png", lambda path: Image.fromarray(GREY16).save(path), None),
    ],
)
def test_pixels_of_every_kind_are_those_that_slides_have(tmp_path, name, write, expected):
    write(tmp_path / name)
    with open_slide(tmp_path / name) as slide:
        found = square(slide, 64, "stretch").permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(found, slide.read(0, 0, 64, 64))
    if expected is None:
        expected = np.repeat(np.rint(GREY16 / 257)[..., None], 3, axis=2)
    assert np.abs(found.astype(int) - expected).max() <= 1


def encoded(kind, **options):
    content = io.BytesIO()
    frames = [Image.fromarray(np.full((64, 64, 3), value, np.uint8)) for value in (40, 200)]
    frames[0].save(content, kind, append_images=frames[1:], **options)
    return content.getvalue()


def with_a_gap():
    """Take bytes out of the middle of a JPEG: Pillow fills what is lost with grey."""
    content = io.BytesIO()
    shades = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    Image.fromarray(shades).resize((200, 200)).save(content, "JPEG", quality=95)
    whole, middle = content.getvalue(), len(content.getvalue()) // 2
    return whole[:middle] + whole[middle + 400 :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "b.png is empty; give a"),
        (b"\xff\xd8\xff\xe0 cut off", "b.png: cannot be opened"),
        (b"GIF89a no format that is read", "b.png is of no format that is read"),
        (None, "b.png: cannot be opened"),
        (with_a_gap(), "b.png: cannot be opened (Corrupt JPEG data"),
        (encoded("GIF", save_all=True), "b.png is of no format that is read"),
        (encoded("WEBP", save_all=True), "b.png is of no format that is read"),
        (encoded("PNG", save_all=True), "b.png holds 2 images that are shown in turn; save the one"),
    ],
    ids=["empty", "cut off", "other", "half", "gap", "gif", "webp", "apng"],
)
def test_files_that_are_no_image_are_left_out_by_a_sentence_and_stop_no_other(paths, content, said, caplog):
    good = Path(paths["a"]).read_bytes()
    Path(paths["b"]).write_bytes(good[: len(good) // 2] if content is None else content)
    job(paths, on_bad_slide="exclude")
    found = read_shard(SHARD)
    assert {slide: image.status for slide, image in found.items()} == {
        slide: "unreadable" if slide == "b" else "ok" for slide in "abcde"
    }
    assert f"left out: slide b: {said}" in caplog.text

"""Small pictures of a batch of slides."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.slides.thumbnail import UNREAD, make_thumbnails
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

MANIFEST = "results/thumbnails/batch-1.tsv"


def job(paths, on_bad_slide="fail"):
    slides = {slide: {"digest": slide, "scene": ""} for slide in paths}
    make_thumbnails(MANIFEST, slides, of("slides", longest=60), paths=paths, limits=LIMITS, on_bad_slide=on_bad_slide)


def test_slides_are_made_small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((120, 240, 3), np.uint8)
    pixels[:, 120:] = (200, 80, 40)
    paths = {"wide": picture("wide.png", pixels), "tiny": picture("tiny.png", pixels[:20, :30])}
    assert done_twice(lambda: job(paths), MANIFEST) == ["tiny", "wide"]
    with Image.open("results/thumbnails/wide.jpg") as small:
        assert small.size == (60, 30)
        assert np.abs(np.asarray(small)[:, 34:].astype(int) - (200, 80, 40)).max() < 12
        assert np.asarray(small)[:, :26].max() < 12
    with Image.open("results/thumbnails/tiny.jpg") as small:
        assert small.size == (30, 20)  # never enlarged


def test_a_slide_that_cannot_be_read_fails_or_is_grey(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {"bad": broken("bad.png"), "good": picture("good.png", np.zeros((8, 8, 3), np.uint8))}
    with pytest.raises(SlidecafError, match=r"failed \(bad\)"):
        job(paths)
    assert done_twice(lambda: job(paths, "exclude"), MANIFEST) == ["bad", "good"]
    with Image.open("results/thumbnails/bad.jpg") as small:
        assert small.size == (60, 15)
        assert np.abs(np.asarray(small).astype(int) - UNREAD).max() <= 2

"""The slides of a job, one after another: the next is begun while one ends; each has its own features and errors."""

import numpy as np
import pytest
import torch

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction import slide as extractions
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.extraction.slide import Extraction
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.source import Source
from tests.unit.batch_jobs import broken, picture
from tests.unit.features.extraction.test_pipeline import Card

SPEC = {"model": "squeezenet1_0", "layer": "features.2", "weights": "random:0", "input_size": 32}
PATCHWISE = {"encoder": SPEC, "extraction": "patchwise", "batch_size": 2}
DENSE = {"encoder": {**SPEC, "input_size": 64}, "extraction": "dense", "batch_size": 2}


class Writer:
    """Keeps features, and notes what was begun by the time that they came."""

    def __init__(self, count, dimension, noted=lambda: None):
        self.features, self.nonzero = np.zeros((count, dimension), np.float16), 0
        self.written, self.notes, self._noted = 0, [], noted

    def append(self, features, valid):
        self.write(self.written, features, valid)

    def write(self, start, features, valid):
        self.features[start : start + len(features)] = features
        self.written += len(features)
        self.nonzero += np.count_nonzero(features)
        self.notes.append(self._noted())


@pytest.fixture(params=["workers", "a card"])
def by(request, monkeypatch):
    """Have the network run by workers, and as on a GPU."""
    if request.param == "a card":
        monkeypatch.setattr(extractions, "Pipeline", lambda *given, **how: Pipeline(*given, card=Card(), **how))


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Three slides of noise, of 12 patches of 32 px each."""
    monkeypatch.chdir(tmp_path)
    made = {}
    for number, name in enumerate("abc"):
        pixels = np.random.default_rng(number).integers(0, 256, (96, 128, 3)).astype(np.uint8)
        picture(f"{name}.png", pixels)
        y, x = np.mgrid[:96:32, :128:32]
        coords = np.stack([x.ravel(), y.ravel()], axis=1)
        tiles = {"patch_size": 32, "patch_size_level0": 32, "stride": 32, "stride_level0": 32.0}
        made[name] = Source(name, f"{name}.png", None, "", coords, tiles)
    return made


def following(sources, asked=None):
    order = list(sources)

    def after(slide):
        if asked is not None:
            asked.append(slide)
        place = order.index(slide) + 1
        return sources[order[place]] if place < len(order) else None

    return after


@pytest.mark.parametrize("settings", [PATCHWISE, DENSE], ids=["patchwise", "dense"])
def test_slides_one_after_another_have_the_features_that_each_has_alone(sources, settings, by):
    options = {"threads": 2, "max_unreadable": 0}
    alone = {}
    for name, source in sources.items():
        with Extraction(settings, "fp32", **options) as extraction:
            alone[name] = Writer(12, 96)
            extraction.extract(source, alone[name])
    with Extraction(settings, "fp32", after=following(sources), **options) as extraction:
        for name, source in sources.items():
            together = Writer(12, 96)
            extraction.extract(source, together)
            assert together.written == 12
            assert together.features.any()
            np.testing.assert_array_equal(together.features, alone[name].features)


def test_a_slide_with_too_much_that_cannot_be_read_stops_no_other(sources, by, monkeypatch):
    once = Extraction.open

    def damaged(self, source):
        slide = once(self, source)
        if source.name == "b":

            def read(*given):
                raise SlideError("slide b: a region cannot be read.")

            slide.read_padded = read
        return slide

    monkeypatch.setattr(Extraction, "open", damaged)
    with Extraction(PATCHWISE, "fp32", threads=2, max_unreadable=0.1, after=following(sources)) as extraction:
        for name in "abc":
            writer = Writer(12, 96)
            if name == "b":
                with pytest.raises(SlideError, match="slide b: a region cannot be read"):
                    extraction.extract(sources[name], writer)
            else:
                extraction.extract(sources[name], writer)
                assert writer.written == 12


def test_what_a_job_needs_of_a_gpu_is_refused_where_there_is_none(sources):
    with (
        pytest.raises(SlidecafError, match="compile: true needs a CUDA device"),
        Extraction({**PATCHWISE, "compile": True}, "fp32", threads=1, max_unreadable=0),
    ):
        pass


def test_features_are_the_networks(sources):
    with Extraction(PATCHWISE, "fp32", threads=1, max_unreadable=0) as extraction:
        writer = Writer(12, 96)
        extraction.extract(sources["a"], writer)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    patches = pixels.reshape(3, 32, 4, 32, 3).transpose(0, 2, 4, 1, 3).reshape(12, 3, 32, 32)
    with torch.inference_mode():
        expected = load_encoder(SPEC)(torch.from_numpy(np.ascontiguousarray(patches))).numpy()
    np.testing.assert_allclose(writer.features, expected, rtol=2e-3, atol=2e-3)


def test_the_next_slide_is_begun_before_one_is_written_to_its_end(sources):
    asked = []
    with Extraction(PATCHWISE, "fp32", threads=1, max_unreadable=0, after=following(sources, asked)) as extraction:
        writer = Writer(12, 96, noted=lambda: list(asked))
        extraction.extract(sources["a"], writer)
        assert writer.notes[-1] == ["a"]


def test_a_slide_that_cannot_be_opened_is_its_own_error_and_stops_no_other(sources, by):
    broken("b.png")
    with Extraction(PATCHWISE, "fp32", threads=1, max_unreadable=0, after=following(sources)) as extraction:
        extraction.extract(sources["a"], Writer(12, 96))
        with pytest.raises(SlideError, match="slide b"):
            extraction.extract(sources["b"], Writer(12, 96))
        writer = Writer(12, 96)
        extraction.extract(sources["c"], writer)
        assert writer.written == 12


def test_tiles_that_cannot_be_read_are_not_the_slides_before(sources, by):
    def after(slide):
        raise SlidecafError(f"the tiles behind {slide} are damaged")

    with Extraction(PATCHWISE, "fp32", threads=1, max_unreadable=0, after=after) as extraction:
        writer = Writer(12, 96)
        extraction.extract(sources["a"], writer)
        assert writer.written == 12


def test_a_slide_that_was_begun_and_is_never_asked_for_leaves_nothing_open(sources, monkeypatch, by):
    opened = []
    once = Extraction.open
    monkeypatch.setattr(Extraction, "open", lambda self, source: opened.append(once(self, source)) or opened[-1])
    with Extraction(PATCHWISE, "fp32", threads=2, max_unreadable=0, after=following(sources)) as extraction:
        extraction.extract(sources["a"], Writer(12, 96))
    assert [slide.name for slide in opened] == ["a", "b"]
    for slide in opened:
        with pytest.raises(ValueError, match="is closed"):
            slide.read(0, 0, 1, 1)

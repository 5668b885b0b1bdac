"""What jobs ask of a cluster: the most demanding slide's memory, the time of all, more with each attempt."""

from dataclasses import dataclass
from math import ceil
from types import SimpleNamespace

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.running.demands import PIXELS_A_BYTE, READ, USUAL_MPP, USUAL_STRIDE, Demands, extraction_demands
from slidecaf.tiles.tiling import Tiling

SIZES = {"small.svs": 10_000, "large.svs": 1_000_000, "photo.PNG": 50_000, "drawn.svs": 0}


@dataclass
class Row:
    path: str
    mpp: float | None = None


ROWS = {
    "small": Row("small.svs"),
    "large": Row("large.svs", 0.25),
    "photo": Row("photo.PNG"),
    "drawn": Row("drawn.svs"),
}
BATCHES = {0: ["small", "large"], 1: ["photo"], 3: ["drawn"]}
TILINGS = {"cnn": Tiling(100, 50), "at-mpp": Tiling(100, 50, mpp=1.0), "uni": None}


@pytest.fixture
def demands():
    return Demands(ROWS, BATCHES, TILINGS, lambda wildcards: wildcards.features, SIZES.__getitem__)


def job(batch, features="cnn"):
    return SimpleNamespace(batch=str(batch), features=features)


def test_patches_are_guessed_by_the_size_of_the_file(demands):
    assert demands.patches("small", "cnn") == PIXELS_A_BYTE * 10_000 / 50**2
    assert demands.patches("small", "uni") == PIXELS_A_BYTE * 10_000 / USUAL_STRIDE**2
    assert demands.patches("drawn", "cnn") == 0


def test_a_tiling_at_a_resolution_has_patches_of_more_level_0_px(demands):
    coarser = 1.0 / 0.25
    assert demands.patches("large", "at-mpp") == PIXELS_A_BYTE * 1_000_000 / (50 * coarser) ** 2
    assert demands.patches("small", "at-mpp") == PIXELS_A_BYTE * 10_000 / (50 / USUAL_MPP) ** 2


def test_memory_is_that_of_the_most_demanding_slide(demands):
    amount = demands.memory(100, a_patch=10_000)
    assert amount(job(0), attempt=1) == 100 + demands.patches("large", "cnn") * 10_000 / 1e6
    assert amount(job(3), attempt=1) == 100


def test_each_attempt_asks_for_as_much_again(demands):
    for amount in (demands.memory(100, a_slide=1), demands.minutes(10, a_slide=1), demands.slide_memory(50)):
        assert [amount(job(3), attempt=k) for k in (2, 3)] == [k * amount(job(3), attempt=1) for k in (2, 3)]


def test_a_job_that_reads_all_slides_asks_by_their_number(demands):
    # such a job has no batch
    assert demands.memory(100, a_slide=2)(SimpleNamespace(), attempt=1) == 100 + 2 * len(ROWS)
    assert demands.minutes(5, a_slide=0.5)(SimpleNamespace(), attempt=1) == 5 + 0.5 * len(ROWS)


def test_slides_that_are_decoded_whole_ask_for_their_pixels_too(demands):
    amount = demands.slide_memory(50, a_patch=0)
    assert amount(job(1), attempt=1) == 50 + -(-4 * PIXELS_A_BYTE * 50_000 // 10**6)
    assert amount(job(0), attempt=1) == 50


def test_time_is_that_of_all_slides_of_the_batch(demands):
    patches = demands.patches("small", "cnn") + demands.patches("large", "cnn")
    a_second = 10
    expected = 30 + 2 + patches / a_second / 60
    assert demands.minutes(30, rate=a_second)(job(0), attempt=1) == pytest.approx(expected, abs=1)
    assert demands.minutes(30, rate={"cnn": a_second}.get)(job(0), attempt=1) == pytest.approx(expected, abs=1)
    assert demands.minutes(30)(job(0), attempt=1) == 30


def test_a_job_with_a_network_asks_for_one_gpu_where_the_site_has_some():
    assert extraction_demands({}) == {"gpu": 1}
    site = {"extraction_partition": "p", "extraction_gpu_model": "a100", "extraction_gpus": "0"}
    assert extraction_demands(site) == {"gpu": 0, "slurm_partition": "p"}
    with pytest.raises(SlidecafError, match="extraction_gpus is 2"):
        extraction_demands({"extraction_gpus": "2"})


def test_a_shard_asks_for_its_largest_image_and_the_time_of_reading_all():
    shards = {"whole": {2: ["photo", "large"]}}
    demands = Demands(ROWS, BATCHES, {"whole": None}, lambda job: job.features, SIZES.__getitem__, shards=shards)
    shard = SimpleNamespace(shard="2", features="whole")
    assert demands.slide_memory(50, a_patch=0)(shard, attempt=1) == 50 + 4 * PIXELS_A_BYTE
    pixels = PIXELS_A_BYTE * (SIZES["photo.PNG"] + SIZES["large.svs"])
    expected = 30 + pixels / READ / 60 + 2 / 50 / 60
    assert demands.minutes(30, rate=50)(shard, attempt=1) == pytest.approx(expected, abs=1)
    assert demands.patches("large", "whole") == 1


def test_a_job_that_holds_patches_to_learn_from_asks_for_their_values_and_the_time_of_all(demands):
    def held(wildcards):
        return sum(demands.patches(slide, "cnn") for slide in ("small", "large"))

    patches = PIXELS_A_BYTE * 1_010_000 / 50**2
    part = SimpleNamespace(part="fold-0", method="mcil")
    assert demands.memory(100, held=held)(part, attempt=2) == 2 * ceil(100 + patches * 4096 * (2 + 4) / 1e6)
    assert demands.minutes(60, held=held)(part, attempt=1) == ceil(60 + patches / 20 / 60)

"""Which slides a job has: those of its shard, of its batch, or all; and which of their files it waits for."""

import pytest

from slidecaf.running.jobs.slides import Slides
from slidecaf.study.sheets import Row
from tests.unit.running.jobs.planned import Job

BATCHES, SHARDS = {4: ["a", "b"], 7: ["c"]}, {"vgg": {0: ["b"], 1: ["a", "c"]}}
ROWS = {name: Row(2, name, f"{name}.svs", "p", "train", None, None) for name in "abc"}


@pytest.fixture
def slides():
    return Slides(ROWS, BATCHES, SHARDS, made={"b.svs"})


def test_a_job_of_a_batch_has_those_of_the_batch_that_are_meant(slides):
    assert slides.of_job(["c", "a"])(Job(batch="4")) == ["a"]
    assert slides.of_job(["c"])(Job(batch="4")) == []
    assert slides.of_job({"a", "b", "c"})(Job(batch="4", features="vgg")) == ["a", "b"]


def test_a_job_of_a_shard_has_all_of_it(slides):
    assert slides.of_job(["a"])(Job(shard="1", features="vgg")) == ["a", "c"]


def test_any_other_job_has_all_that_are_meant_in_their_order(slides):
    assert slides.of_job(["c", "a"])(Job(method="net", part="final")) == ["c", "a"]


def test_which_are_meant_may_depend_on_the_job(slides):
    chosen = slides.of_job(lambda wildcards: ["a"] if wildcards.part == "final" else ["b", "c"])
    assert chosen(Job(part="final")) == ["a"]
    assert chosen(Job(part="fold-0", batch="4")) == ["b"]


def test_paths_are_the_sheets_and_only_those_that_are_drawn_are_inputs(slides):
    paths = slides.paths("abc")
    assert paths(Job(batch="4")) == {"a": "a.svs", "b": "b.svs"}
    assert slides.drawn(paths)(Job(batch="4")) == ["b.svs"]
    assert slides.drawn(paths)(Job(batch="7")) == []


def test_a_value_of_each_slide_knows_the_job(slides):
    found = slides.each("abc", lambda slide, wildcards: slide + wildcards.features)
    assert found(Job(batch="7", features="vgg")) == {"c": "cvgg"}


def test_a_file_is_an_input_only_where_one_of_its_slides_is_in_the_batch(slides):
    where = slides.where(["c"], "maps/{method}/batch-{batch}.tsv")
    assert where(Job(method="m", batch="7")) == ["maps/m/batch-7.tsv"]
    assert where(Job(method="m", batch="4")) == []
    assert slides.where(["c"], lambda wildcards: wildcards.batch)(Job(batch="7")) == ["7"]

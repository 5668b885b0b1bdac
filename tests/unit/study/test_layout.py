"""Where results lie."""

import re

from slidecaf.study.layout import Layout


def test_a_manifest_lies_beside_its_slides_files():
    layout = Layout("out/")
    assert layout.batch(layout.maps) == "out/segmentation/{method}/{variant}/maps/batch-{batch}.tsv"
    assert layout.batch(layout.shard) == "out/features/{features}/shard-{shard}.tsv"
    assert layout.batch(layout.segments) == "out/segmentation/{method}/{variant}/batch-{batch}.tsv"


def test_logs_and_benchmarks_are_named_by_rule_and_wildcards():
    layout = Layout("out")
    assert layout.log("tiles", "{features}/batch-{batch}") == "out/logs/tiles/{features}/batch-{batch}.log"
    assert layout.benchmark("tiles", "{features}/batch-{batch}") == "out/benchmarks/tiles/{features}/batch-{batch}.tsv"
    assert layout.log("study", "") == "out/logs/study.log"
    assert layout.benchmark("study", "") == "out/benchmarks/study.tsv"


def test_no_two_kinds_of_files_have_one_name():
    patterns = Layout().patterns()
    assert len(patterns) == len(set(patterns))
    names = [re.sub(r"\{\w+\}", "x", pattern) for pattern in patterns]
    assert len(names) == len(set(names))


def test_every_wildcard_is_one_that_snakemake_is_told_of():
    found = {name for pattern in Layout().patterns() for name in re.findall(r"\{(\w+)\}", pattern)}
    assert found == {"task", "features", "method", "variant", "part", "rows", "setting", "slide", "batch", "shard"}

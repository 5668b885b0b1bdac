"""Configs that would build objects, run code, fill memory or write elsewhere."""

import os
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.study.config import check_config, load_config
from slidecaf.study.config_file import read_config

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 64))


HOSTILE = {
    "an object": (
        "results: !!python/object/apply:os.system ['touch made']\n",
        "of the kind python/object/apply:os.system",
    ),
    "a name": ("results: !!python/name:os.system\n", "of the kind"),
    "a tag of its own": ("results: !evil x\n", "of the kind"),
    "a template": ("__use_yte__: true\nresults: ?__import__('os').system('touch made')\n", "__use_yte__: unknown key"),
    "aliases of aliases": (LAUGHS, "stands for more than 100000 values"),
    "an alias of itself": ("results: &a [*a]\n", "line 1: an alias stands for what it is a part of"),
    "a key twice": ("seed: 1\nresults: a\nseed: 2\n", "line 3: the key 'seed' stands there twice"),
    "a key twice below": ("features: {a: {tiling: {}, tiling: {}}}\n", "the key 'tiling' stands there twice"),
    "two documents": ("seed: 1\n---\nseed: 2\n", "not valid YAML"),
    "a date": ("results: 2026-01-01\n", "of the kind timestamp"),
    "no date": ("results: 2026-99-99\n", "line 1: a value of the kind timestamp"),
    "bytes": ("results: !!binary aGk=\n", "of the kind binary"),
    "an endless number": (f"seed: {'9' * 5000}\n", "not valid YAML"),
    "deep nesting": ("[" * 5000, "not valid YAML"),
    "a list as key": ("? [a]\n: b\n", "a key is no text"),
    "tabs": ("seed:\n\t- 1\n", "not valid YAML"),
    "NUL": ("seed: \0\n", "not valid YAML"),
    "not UTF-8": (b"results: \xff\n", "not valid YAML"),
    "too long": ("x" * (2**20 + 1), "a config is shorter"),
    "nothing": ("", "holds NoneType, not keys"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_config_is_refused_at_once_and_runs_nothing(tmp_path, monkeypatch, name):
    content, said = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.process_time()
    with pytest.raises(SlidecafError) as raised:
        load_config("config.yaml")
    assert said in str(raised.value)
    assert "config.yaml" in str(raised.value)
    assert time.process_time() - start < 5
    assert os.listdir(tmp_path) == ["config.yaml"]


def test_a_config_that_is_no_file_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "config.yaml")
    for path in (tmp_path / "config.yaml", tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(SlidecafError, match="is no file; write a config there"):
            read_config(path)


def test_anchors_merges_and_json_stay_usable(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: *a\n")
    assert read_config(path) == {"a": {"x": 1, "y": [1, 2]}, "b": {"x": 2, "y": [1, 2]}, "c": {"x": 1, "y": [1, 2]}}
    path.write_text('{"seed": 1, "results": "r\\u00e9sultats"}')
    assert read_config(path) == {"seed": 1, "results": "résultats"}


def test_the_demos_config_is_what_pyyaml_reads(repository):
    assert read_config(repository / "config.yaml") == yaml.safe_load((repository / "config.yaml").read_text())


@pytest.mark.parametrize(
    "results",
    [
        "../../outside",
        "..",
        "/tmp/x",
        "~/x",
        "a/../../b",
        "a/..",
        "./..",
        ".",
        "./",
        "",
        "a\nb",
        "a\0b",
        "-rf",
        "{x}",
        3,
        ["a"],
    ],
)
def test_results_outside_the_study_are_refused(repository, results):
    config = yaml.safe_load((repository / "config.yaml").read_text())
    with pytest.raises(SlidecafError, match=r"results: .* will not do; write a folder inside the study"):
        check_config(config | {"results": results})


@pytest.mark.parametrize(
    "results", ["results", "results/", "a/b", "./a", "résultats 2", "a..b", "..a", "$(touch x)", "a;b"]
)
def test_results_inside_the_study_are_taken_as_they_stand(repository, results):
    config = yaml.safe_load((repository / "config.yaml").read_text())
    assert check_config(config | {"results": results}).results == results


def test_the_workflow_reads_the_config_in_the_same_way(tmp_path, repository, promise):
    """Snakemake's own reader takes `__use_yte__` for leave to run what stands in a config, even for a plan."""
    hostile = ("a template", "an object", "aliases of aliases", "a key twice")
    for number, name in enumerate(hostile):
        study = tmp_path / str(number)
        study.mkdir()
        (study / "config.yaml").write_text(HOSTILE[name][0])
        command = [sys.executable, "-m", "snakemake", "-s", repository / "Snakefile", "--directory", study, "-n"]
        environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 1
        assert HOSTILE[name][1] in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert not (study / "made").exists()
    promise("A config that would run code, build objects or fill memory is refused", provoked=len(hostile))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200), values.map(lambda value: yaml.safe_dump(value))))
@settings(derandomize=True, max_examples=300)
def test_anything_is_a_config_or_an_error_that_says_what_is_wrong(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(SlidecafError, match=r"fuzz\.yaml"):  # no chance leads to a config
        load_config(path)


WITHIN = [
    "seed",
    "memory",
    "results",
    "max_megapixels",
    "features",
    "features.cnn-336.tiling",
    "features.cnn-336.encoder.weights",
    "classification.methods",
    "classification.methods.svm-cnn.norm",
    "segmentation.methods.svm-cnn",
    "segmentation.methods.svm-cnn.hard_examples",
]


@given(st.sampled_from(WITHIN), values)
@settings(derandomize=True, max_examples=200)
def test_a_config_with_any_value_anywhere_is_taken_or_refused_with_its_key(repository, path, value):
    config = yaml.safe_load((repository / "config.yaml").read_text())
    part = config
    *outer, last = path.split(".")
    for key in outer:
        part = part[key]
    part[last] = value
    said = last
    try:
        check_config(config, folder=repository)
    except SlidecafError as error:
        said = str(error)
    assert last in said or "features" in said

"""The method that docs/how-to/own-method.md adds is one: in a copy of the source tree, through the workflow."""

import re

import numpy as np
import pytest
import yaml

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.pooling.file import read_pooled
from slidecaf.pooling.norms import norm_name
from tests.workflow.conftest import Study, accepted, make_mini, mini_config

PAGE = "docs/how-to/own-method.md"
FILES = ("src/slidecaf/study/config.py", "src/slidecaf/classification/nearest_mean.py", "src/slidecaf/study/kinds.py")


@pytest.fixture
def code(repository):
    """What the page writes into each file."""
    text = (repository / PAGE).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    places = re.findall(r"`(src/[\w/.]+\.py)`", text)
    assert tuple(places[: len(FILES)]) == FILES
    return dict(zip(FILES, blocks, strict=True))


@pytest.fixture
def added(clone, code):
    """A copy of the clone with the method in it."""
    settings, module, registry = (clone / path for path in FILES)
    text = settings.read_text()
    member = re.search(r"class (\w+)", code[FILES[0]])[1]
    text = text.replace("ClassificationMethod = _kinds(", f"{code[FILES[0]]}\n\nClassificationMethod = _kinds(", 1)
    text, found = re.subn(r"(\nClassificationMethod = _kinds\((?:\n    .*)+)", rf"\1\n    {member},", text)
    assert found == 1
    settings.write_text(text)
    module.write_text(code[FILES[1]])
    text, found = re.subn(
        r"(\nCLASSIFICATION_KINDS = \{\n)", lambda start: start[1] + code[FILES[2]], registry.read_text()
    )
    assert found == 1
    registry.write_text(text)
    return clone


def test_the_example_has_forty_lines_at_most(code):
    assert sum(len(text.splitlines()) for text in code.values()) <= 40


@pytest.mark.long
def test_the_example_runs_to_scores_beside_another_method(added, tmp_path):
    config = mini_config()
    del config["features"]["cnn-224"]
    config["classification"]["methods"] = {
        "svm-cnn": {"features": ["cnn-160"], "keep": [20], "C": [1]},
        "nearest": {"kind": "nearest-mean", "features": "cnn-160", "norm": [1]},
    }
    study = Study(make_mini(tmp_path / "study", patients=3, config=config, size=500).folder, added)
    study.finish("--resources", "gpu=2")
    assert study.planned(shown=True) == {}

    top = study / "results/classification/nearest"
    label = {row["slide"]: row["label"] for row in read_tsv(top / "predictions.tsv")}
    fold = {row["slide"]: row["fold"] for row in read_tsv(top / "folds.tsv")}
    vectors = {}
    for slide in label:
        found, _, _ = read_pooled(study / f"results/pooled/cnn-160/{slide}.h5", [norm_name(1.0)])
        vectors[slide] = found[norm_name(1.0)]
    for row in read_tsv(top / "predictions.tsv"):
        learned = [slide for slide in fold if fold[slide] != row["fold"]]
        near = {}
        for name in ("GBM", "LGG"):
            mean = np.mean([vectors[slide] for slide in learned if label[slide] == name], axis=0)
            near[name] = np.linalg.norm(vectors[row["slide"]] - mean)
        assert float(row["confidence"]) == pytest.approx(near["LGG"] - near["GBM"], rel=1e-9)
        assert row["predicted"] == min(near, key=near.get)
    assert read_json(top / "final/choice.json")["chosen"] == {"features": "cnn-160", "norm": 1}
    assert "nearest" in (study / "results/classification/comparison.json").read_text()
    assert "the class whose mean vector is nearest" in (study / "results/report.html").read_text()

    accepted(study)


def test_a_wrong_setting_of_it_is_refused_with_what_to_write(added, tmp_path):
    study = Study(make_mini(tmp_path / "study", patients=3, size=100).folder, added)
    config = mini_config()
    config["classification"]["methods"] = {"nearest": {"kind": "nearest-mean", "features": "cnn-160", "norm": []}}
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    refused = study.snakemake("-n")
    assert refused.returncode != 0
    assert "classification.methods.nearest.norm: [] will not do; write a pooling norm" in refused.stderr

"""The commented configs, the demo's and a new study's: every key of the models stands there and says its default."""

import re

import pytest
import yaml

from slidecaf.study.config import check_config, json_schema
from slidecaf.study.new import config_text

TEXTS = {
    "the demo's": None,
    "a new study's": config_text(["classification", "segmentation"], "T"),
    "of a classification": config_text(["classification"], "T"),
    "of a segmentation": config_text(["segmentation"], "T"),
}
FURTHER = {"mcil": "ClassificationMcil"}
"""Kinds of methods that stand there in a comment, on one line, and their models."""
ALTERNATIVES = {("features", "*", "tiling", "overlap"), ("features", "*", "tiling", "stride")}
"""Of which one stands in a feature set."""
SAID = {
    ("features", "*", "encoder", key)
    for key in ("map", "scales", "outputs", "weights_sha256", "model_args", "mean", "std")
}
"""Which stand in a comment: the demo has one output of a network of torchvision, and pins no weights."""
OFF = (
    ("classification", "ablation"),
    ("classification", "methods", "*", "fisher"),
    ("features", "*", "image", "stain"),
)
"""What is null in these configs; its comment shows what may stand there."""
ELSEWHERE = ("ImportedFeatures", "GraphRlm", "ClassificationNetwork", "ClassificationTwoStage")
"""Kinds that no commented config uses: `slidecaf import` writes the one, the reference page says the keys of all."""


@pytest.fixture(params=TEXTS)
def text(request, repository):
    return TEXTS[request.param] or (repository / "config.yaml").read_text()


def fields(schema, part, path=()):
    """Yield path, with * for a name, and schema of every key."""
    part = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    for inner in part.get("oneOf", part.get("anyOf", [])):
        if inner.get("$ref", "").rpartition("/")[2] not in (*ELSEWHERE, *FURTHER.values()):
            yield from fields(schema, inner, path)
    for key, inner in part.get("properties", {}).items():
        yield (*path, key), inner
        yield from fields(schema, inner, (*path, key))
    if part.get("additionalProperties"):
        yield from fields(schema, part["additionalProperties"], (*path, "*"))


def commented(text):
    """Yield path, value and comment of every line that has a key; a name is *."""
    path, sections = [], {("features",), ("classification", "methods"), ("segmentation", "methods")}
    for line in text.splitlines():
        found = re.fullmatch(r"( *)([\w.-]+): *(.*?) *(?:# (.*))?", line)
        if found and not line.lstrip().startswith("#"):
            indent, key, value, comment = found.groups()
            del path[len(indent) // 2 :]
            path.append("*" if tuple(path) in sections else key)
            yield tuple(path), yaml.safe_load(value), comment or ""


def test_every_key_of_its_tasks_stands_there_with_a_comment(text):
    given, lines = yaml.safe_load(text), {}
    for path, _, comment in commented(text):
        lines[path] = lines.get(path, "") + comment
    for path, part in fields(json_schema(), json_schema()):
        if path[0] in ("classification", "segmentation") and path[0] not in given:
            continue
        if path in ALTERNATIVES:
            assert any(other in lines for other in ALTERNATIVES)
            continue
        if said := next((key for key in SAID if path[: len(key)] == key), None):
            assert re.search(rf"# .*\b{said[-1]}: ", text)
            continue
        if off := next((off for off in OFF if path[: len(off)] == off and path != off), None):
            assert re.search(rf"\b{path[-1]}:", lines[off]) or path[-1] == "features"
            continue
        assert path in lines, path
        assert lines[path] or "properties" in str(part) or "$ref" in str(part), path


def test_a_comment_says_the_models_default(text):
    defaults = {
        path: part["default"]
        for path, part in fields(json_schema(), json_schema())
        if "default" in part and not any(path[: len(off)] == off and path != off for off in OFF)
    }
    said = {}
    for path, value, comment in commented(text):
        if found := re.search(r"\(default(?:: ([^)]*))?\)", comment):
            named = value if found[1] is None else yaml.safe_load(found[1]) if found[1] != "nothing" else ""
            assert defaults[path] == named, (path, comment)
            said[path] = True
    tasks = {"classification", "segmentation"} & set(yaml.safe_load(text))
    there = {path for path in defaults if path[0] in tasks or path[0] not in ("classification", "segmentation")}
    assert {path for path in there if path[:4] not in SAID} == {*said}


def test_further_kinds_stand_there_in_a_comment_with_their_defaults(text):
    given, said = yaml.safe_load(text), {}
    for name, settings in re.findall(r"^ +# ([\w-]+): (\{kind: .*\})$", text, re.MULTILINE):
        said[name] = yaml.safe_load(settings)
    assert set(said) == (set(FURTHER) if "classification" in given else set())
    for name, settings in said.items():
        part = json_schema()["$defs"][FURTHER[settings["kind"]]]["properties"]
        assert set(settings) == set(part)
        assert {key: settings[key] for key in part if "default" in part[key]} == {
            key: one["default"] for key, one in part.items() if "default" in one
        }
        given["classification"]["methods"][name] = settings
    check_config(given)


def test_it_is_valid(text, repository):
    check_config(yaml.safe_load(text), folder=repository)

"""What the config's check accepts, fills in and says."""

import copy

import pytest
import yaml

from slidecaf.errors import InputErrors, SlidecafError
from slidecaf.study.config import check_config, load_config, load_schema


@pytest.fixture(scope="module")
def schema(repository):
    return load_schema(repository / "workflow/schemas/config.schema.yaml")


@pytest.fixture
def config():
    return {
        "features": {
            "cnn": {
                "tiling": {"patch_size": 336, "overlap": 0.25},
                "encoder": {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"},
            }
        },
        "classification": {"sheet": "s.tsv", "positive": "GBM", "methods": {"svm": {"features": ["cnn"]}}},
    }


def problems(config, schema):
    with pytest.raises(InputErrors) as caught:
        check_config(config, schema)
    return "\n".join(caught.value.problems)


def test_defaults_are_filled_in_and_the_given_config_is_left_alone(config, schema):
    before = copy.deepcopy(config)
    checked = check_config(config, schema)
    assert config == before
    assert checked["results"] == "results"
    assert checked["features"]["cnn"]["encoder"]["input_size"] == 224
    assert checked["features"]["cnn"]["tiling"]["edge"] == "drop"
    assert checked["classification"]["methods"]["svm"]["C"] == [0.001, 0.01, 0.1, 1, 10, 100]


def test_the_order_of_keys_does_not_matter(config, schema):
    turned = {key: config[key] for key in reversed(config)}
    turned["features"] = {"cnn": {key: config["features"]["cnn"][key] for key in ("encoder", "tiling")}}
    assert repr(check_config(turned, schema)) == repr(check_config(config, schema))


def test_a_single_candidate_may_stand_without_brackets(config, schema):
    config["classification"]["methods"]["svm"] |= {"features": "cnn", "norm": "inf", "keep": 50, "C": 1}
    method = check_config(config, schema)["classification"]["methods"]["svm"]
    assert (method["features"], method["norm"], method["keep"], method["C"]) == (["cnn"], ["inf"], [50], [1])


def test_the_demo_config_holds_every_key_of_the_schema(repository, schema):
    given = yaml.safe_load((repository / "config.yaml").read_text())

    def keys(part, path=()):
        for key, inner in part.get("properties", {}).items():
            yield (*path, key)
            yield from keys(inner, (*path, key))
        if isinstance(part.get("additionalProperties"), dict):
            yield from keys(part["additionalProperties"], (*path, "*"))

    def holds(value, path):
        if not path:
            return True
        if path[0] == "*":
            return any(holds(item, path[1:]) for item in value.values())
        return path[0] in value and holds(value[path[0]], path[1:])

    missing = [path for path in keys(schema) if not holds(given, path)]
    assert missing == []
    assert check_config(given, schema, folder=repository)


def test_every_key_has_a_description_that_says_what_to_write(schema):
    def check(part, path):
        for key, inner in part.get("properties", {}).items():
            assert inner.get("description", "").endswith("."), (*path, key)
            check(inner, (*path, key))
        if isinstance(part.get("additionalProperties"), dict):
            check(part["additionalProperties"], (*path, "*"))

    check({**schema, "properties": schema["properties"]}, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(featurs={}), "featurs: unknown key, did you mean features?"),
        (lambda c: c.pop("features"), "features: missing; write at least one feature set"),
        (
            lambda c: c["features"]["cnn"]["tiling"].update(patchsize=3),
            "features.cnn.tiling.patchsize: unknown key, did you mean patch_size?",
        ),
        (lambda c: c["features"]["cnn"]["tiling"].pop("overlap"), "neither overlap and stride"),
        (lambda c: c["features"]["cnn"]["tiling"].update(stride=8), "both overlap and stride"),
        (lambda c: c["features"]["cnn"]["tiling"].update(overlap=1), "overlap: 1 will not do"),
        (lambda c: c["features"]["cnn"]["encoder"].update(weights="absent.pth"), "no file 'absent.pth'"),
        (lambda c: c["features"]["cnn"]["encoder"].update(weights="random:x"), "has no seed; write random:0"),
        (lambda c: c["features"].update({"../x": c["features"]["cnn"]}), "the name '../x' will not do"),
        (lambda c: c["features"].update({"a..b": c["features"]["cnn"]}), "the name 'a..b' will not do"),
        (lambda c: c["classification"]["methods"]["svm"].update(norm=[0.5]), "norm.0: 0.5 will not do"),
        (lambda c: c["classification"]["methods"]["svm"].update(keep=[0]), "keep.0: 0 will not do"),
        (lambda c: c["classification"]["methods"]["svm"].update(C=[-1]), "C.0: -1 will not do"),
        (lambda c: c["classification"]["methods"]["svm"].update(C=[1, 1]), "names a candidate twice"),
        (
            lambda c: c["classification"]["methods"]["svm"].update(features=["cmn"]),
            "there is no feature set 'cmn', did you mean cnn?",
        ),
        (lambda c: c["classification"].update(folds=1), "classification.folds: 1 will not do; write a whole number"),
        (lambda c: c["features"].update({336: c["features"]["cnn"]}), "the name 336 will not do"),
        (lambda c: c["features"]["cnn"]["tiling"].update(overlap=float("nan")), "overlap: nan will not do"),
        (lambda c: c.update(results="a{b}"), "results: 'a{b}' will not do"),
        (lambda c: c.update(results="/"), "results: '/' will not do"),
        (lambda c: c.update(seed=2**40), "seed: 1099511627776 will not do"),
        (lambda c: c.update(on_bad_slide="ignore"), "on_bad_slide: 'ignore' will not do; write fail"),
    ],
)
def test_an_error_names_the_key_the_value_and_what_to_write(config, schema, change, said):
    change(config)
    assert said in problems(config, schema)


def test_all_errors_are_reported_at_once(config, schema):
    config["threads"] = 0
    config["features"]["cnn"]["tiling"]["edge"] = "cut"
    config["classification"]["methods"]["svm"]["norm"] = [0]
    said = problems(config, schema)
    assert "threads" in said
    assert "edge" in said
    assert "norm" in said


def test_a_tag_that_would_build_an_object_is_refused(tmp_path, schema):
    path = tmp_path / "config.yaml"
    path.write_text("results: !!python/object/apply:os.system ['touch made']\n")
    with pytest.raises(SlidecafError, match="not valid YAML"):
        load_config(path, schema)


def test_a_list_instead_of_keys_is_an_error(tmp_path, schema):
    path = tmp_path / "config.yaml"
    path.write_text("- a\n- b\n")
    with pytest.raises(InputErrors, match="holds list, not keys"):
        load_config(path, schema)

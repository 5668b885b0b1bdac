"""What the config's check accepts, fills in and says."""

import copy
import json

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from slidecaf.errors import InputErrors, SlidecafError
from slidecaf.study.config import check_config, classification_method, json_schema, load_config
from slidecaf.study.kinds import CLASSIFICATION_KINDS


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


def problems(config):
    with pytest.raises(InputErrors) as caught:
        check_config(config)
    return "\n".join(caught.value.problems)


def test_defaults_are_filled_in_and_the_given_config_is_left_alone(config):
    before = copy.deepcopy(config)
    checked = check_config(config)
    assert config == before
    assert checked.results == "results"
    assert checked.features["cnn"].kind == "network"
    assert checked.features["cnn"].encoder.input_size == 224
    assert checked.features["cnn"].tiling.edge == "drop"
    assert checked.classification.methods["svm"].C == [0.001, 0.01, 0.1, 1, 10, 100]


def test_the_order_of_keys_does_not_matter(config):
    turned = {key: config[key] for key in reversed(config)}
    turned["features"] = {"cnn": {key: config["features"]["cnn"][key] for key in ("encoder", "tiling")}}
    assert repr(check_config(turned)) == repr(check_config(config))


def test_a_single_candidate_may_stand_without_brackets(config):
    config["classification"]["methods"]["svm"] |= {"features": "cnn", "norm": "inf", "keep": 50, "C": 1}
    method = check_config(config).classification.methods["svm"]
    assert (method.features, method.norm, method.keep, method.C) == (["cnn"], ["inf"], [50], [1])


def test_plain_keys_and_values_are_what_was_written_with_defaults_and_make_the_same_config(config):
    config["features"]["uni"] = {"kind": "imported", "format": "clam", "folder": "f"}
    config |= {"memory": 4.5, "max_unreadable": 1}
    config["classification"]["methods"]["svm"] |= {"norm": [1, 2.5, "inf"]}
    plain = check_config(config).plain()
    assert list(plain["features"]["cnn"]["tiling"].items()) == [
        ("patch_size", 336),
        ("overlap", 0.25),  # and no stride
        ("edge", "drop"),
        ("white_above", None),
        ("tissue", None),
        ("min_tissue", 0.1),
        ("mpp", None),
    ]
    assert plain["features"]["uni"] == {"kind": "imported", "format": "clam", "folder": "f", "patches": None}
    assert "segmentation" not in plain
    assert repr([plain["memory"], plain["max_unreadable"]]) == "[4.5, 1]"  # a whole number stays one
    assert repr(plain["classification"]["methods"]["svm"]["norm"]) == "[1, 2.5, 'inf']"
    assert check_config(yaml.safe_load(yaml.safe_dump(plain))) == check_config(config)


def test_a_checked_config_cannot_be_changed(config):
    with pytest.raises(ValidationError, match="frozen"):
        check_config(config).seed = 1


def test_every_key_has_a_description_that_says_what_to_write():
    schema = json_schema()
    for model in (schema, *schema["$defs"].values()):
        for key, part in model["properties"].items():
            assert part.get("description", "").endswith("."), (model["title"], key)


def test_editors_take_by_the_shipped_schema_what_the_models_take(repository, config):
    checker = Draft202012Validator(json.loads((repository / "src/slidecaf/study/config.schema.json").read_text()))
    config["features"]["uni"] = {"kind": "imported", "format": "clam", "folder": "f"}
    for valid in (config, check_config(config).plain(), yaml.safe_load((repository / "config.yaml").read_text())):
        assert checker.is_valid(valid)
    without_kind = {"features": {"uni": {"format": "clam", "folder": "f"}}}
    for wrong in ({"seed": -1}, {"sed": 1}, {"results": ".."}, without_kind):
        assert not checker.is_valid(config | wrong)
        assert problems(config | wrong)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_task_without_methods_or_none_at_all_is_an_error(config, task):
    config[task] = {"sheet": "s.tsv", "methods": {}}
    assert f"{task}.methods: {{}} will not do; write at least one method" in problems(config)
    config[task] = None
    assert f"{task}: None will not do; write the {task} task; leave it out and it is not run" in problems(config)


def test_a_missing_kind_hides_no_other_error_and_a_wrong_one_is_named(config):
    config["features"]["cnn"]["batch_size"] = 0
    config["features"]["uni"] = {"kind": "importd", "format": "clam"}
    config["classification"]["methods"]["svm"]["kind"] = "tree"
    said = problems(config)
    assert "features.cnn.batch_size: 0 will not do; write a whole number from 1" in said
    assert (
        "features.uni.kind: 'importd' will not do, did you mean imported?; write imported, manual or network." in said
    )
    assert "classification.methods.svm.kind: 'tree' will not do; write cam-two-stage, mcil, network or svm." in said


def test_mcil_is_a_kind_with_one_feature_set(config):
    config["classification"]["methods"]["mcil"] = {"kind": "mcil", "features": "cnn"}
    method = check_config(config).classification.methods["mcil"]
    assert (method.features, method.clusters, method.rounds, method.exponent) == (["cnn"], 4, 150, 20)
    assert (method.candidates, method.about.reads) == (1, "features")
    assert classification_method(method.given()) == method
    svm = check_config(config).classification.methods["svm"]
    assert classification_method(svm.given()) == svm  # which does not say its kind
    config["classification"]["methods"]["mcil"] |= {"features": ["cnn", "cnn2"], "C": [1], "clusters": 0, "exponent": 0}
    said = problems(config)
    assert "classification.methods.mcil.features: ['cnn', 'cnn2'] will not do; write the name of a feature set" in said
    assert "classification.methods.mcil.clusters: 0 will not do; write a whole number from 1" in said
    assert "classification.methods.mcil.exponent: 0 will not do; write a number above 0" in said
    assert "classification.methods.mcil.C: unknown key" in said


def test_every_kind_of_the_config_has_an_entry_and_the_other_way_round():
    part = json_schema()["$defs"]["Classification"]["properties"]["methods"]["additionalProperties"]
    # an svm with the key fisher has an entry of its own
    assert {*part["discriminator"]["mapping"], "fisher"} == set(CLASSIFICATION_KINDS)


def test_imported_features_are_a_kind_and_the_old_form_says_what_to_write(config):
    config["features"]["uni"] = {"imported": {"format": "clam", "folder": "jobs/f"}}
    config["features"]["conch"] = {"kind": "imported", "format": "hdf", "patches": 3}
    said = problems(config)
    assert (
        "features.uni.imported: this form is that of slidecaf 0.1.0; write kind: imported, format: clam, "
        "folder: jobs/f."
    ) in said
    assert "features.conch.format: 'hdf' will not do; write trident or clam" in said
    assert "features.conch.folder: missing; write the path of the folder" in said
    assert "features.conch.patches: 3 will not do" in said


def test_what_keys_have_to_do_with_each_other_is_said_beside_their_own_errors(config):
    config["seed"] = -1
    config["features"]["cnn"]["encoder"]["weights"] = "absent.pth"
    config["features"]["bad"] = {"tiling": {"patch_size": 0}}
    config["classification"]["methods"] |= {"one": {"features": ["cmn", "bad"]}, "two": {"features": "cnn", "C": 0}}
    said = problems(config)
    for part in (
        "seed: -1 will not do",
        "features.cnn.encoder.weights: there is no file",
        "features.bad.tiling.patch_size: 0 will not do",
        "features.bad.encoder: missing",
        "classification.methods.one.features: there is no feature set 'cmn', did you mean cnn?",
        "classification.methods.two.C.0: 0 will not do",
    ):
        assert part in said
    assert "'bad'" not in said  # it is there, whatever is wrong with it


@pytest.mark.parametrize("value", [True, "4", None, [4], float("inf"), 10**400])
def test_only_numbers_are_numbers(config, value):
    config["memory"] = value
    config["features"]["cnn"]["tiling"]["patch_size"] = value if value != 10**400 else 4.0
    said = problems(config)
    assert f"memory: {value!r} will not do; write a number above 0" in said
    assert "features.cnn.tiling.patch_size: " in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(featurs={}), "featurs: unknown key, did you mean features?"),
        (lambda c: c.pop("features"), "features: missing; write feature sets, each a name"),
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
def test_an_error_names_the_key_the_value_and_what_to_write(config, change, said):
    change(config)
    assert said in problems(config)


def test_all_errors_are_reported_at_once(config):
    config["threads"] = 0
    config["features"]["cnn"]["tiling"]["edge"] = "cut"
    config["classification"]["methods"]["svm"]["norm"] = [0]
    said = problems(config)
    assert "threads" in said
    assert "edge" in said
    assert "norm" in said


def test_a_tag_that_would_build_an_object_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("results: !!python/object/apply:os.system ['touch made']\n")
    with pytest.raises(SlidecafError, match="not valid YAML"):
        load_config(path)


def test_a_list_instead_of_keys_is_an_error(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("- a\n- b\n")
    with pytest.raises(InputErrors, match="holds list, not keys"):
        load_config(path)


def test_an_ablation_names_what_it_tries(config):
    config["classification"]["methods"]["svm"]["norm"] = [3]
    assert check_config(config).classification.ablation is None
    config["features"]["other"] = config["features"]["cnn"]
    varied = {"method": "svm", "norm": [1, 2.5, 3.0, "inf"], "keep": [25, "all"], "features": "other"}
    config["classification"]["ablation"] = varied
    checked = check_config(config)
    assert checked.classification.ablation.settings() == {
        "norm-1": ("norm", 1),
        "norm-2.5": ("norm", 2.5),
        "norm-3": ("norm", 3),
        "norm-inf": ("norm", "inf"),
        "keep-25": ("keep", 25),
        "keep-all": ("keep", "all"),
        "features-other": ("features", "other"),
    }
    assert checked.feature_sets_of("classification") == ["cnn", "other"]
    assert check_config(yaml.safe_load(yaml.safe_dump(checked.plain()))) == checked


@pytest.mark.parametrize(
    ("varied", "said"),
    [
        (
            {"method": "svn", "norm": [1]},
            "ablation.method: 'svn': there is no such method, did you mean svm?; write",
        ),
        ({"method": "svm"}, "ablation: nothing is varied; write a list of values for norm, keep or features."),
        ({"method": "svm", "features": ["cn"]}, "ablation.features: there is no feature set 'cn', did you mean cnn?"),
        ({"method": "svm", "norm": [1, 1]}, "ablation.norm: [1, 1] names a candidate twice; write each once."),
        ({"method": "svm", "keep": [0]}, "ablation.keep.0: 0 will not do; write a whole number from 1"),
        ({"method": "svm", "C": [1]}, "ablation.C: unknown key"),
    ],
)
def test_what_an_ablation_cannot_try_is_an_error_that_says_what_to_write(config, varied, said):
    config["classification"]["ablation"] = varied
    assert said in problems(config)


def test_a_study_without_an_ablation_says_nothing_of_it(config):
    config["classification"]["ablation"] = None
    assert "ablation" not in check_config(config).plain()["classification"]


@pytest.mark.parametrize("name", ["comparison.tsv", "comparison.json", "ablation.tsv"])
def test_a_method_is_not_called_as_a_file_beside_methods_is(config, name):
    config["classification"]["methods"][name] = config["classification"]["methods"]["svm"]
    assert f"classification.methods: the name '{name}' will not do" in problems(config)


def test_the_whole_image_may_be_the_patch(config):
    config["features"]["cnn"] |= {"tiling": "whole", "image": {"fit": "pad"}, "shards": 4}
    config["classification"]["methods"]["svm"]["keep"] = ["all", 100]
    checked = check_config(config)
    assert checked.features["cnn"].is_whole
    assert checked.features["cnn"].given()["image"] == {"fit": "pad"}
    assert check_config(yaml.safe_load(yaml.safe_dump(checked.plain()))) == checked
    checker = Draft202012Validator(json_schema())
    assert checker.is_valid(config)
    assert checker.is_valid(checked.plain())
    config["features"]["cnn"]["tiling"] = "hole"
    assert not checker.is_valid(config)
    assert "features.cnn.tiling: 'hole' will not do; write a mapping such as" in problems(config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tiling": "whole", "extraction": "dense"}, "features.cnn.extraction: dense shares the work of overlapping"),
        ({"tiling": "whole", "store": "train"}, "features.cnn.store: train is for the segmentation"),
        ({"image": {"fit": "pad"}}, "features.cnn.image.fit: pad is for whole images, and this tiling cuts patches"),
        ({"shards": 4}, "features.cnn.shards: 4 is for whole images"),
        ({"tiling": "whole", "shards": 0}, "features.cnn.shards: 0 will not do; write a whole number from 1"),
        ({"tiling": "whole", "image": {"fit": "crop"}}, "features.cnn.image.fit: 'crop' will not do; write stretch"),
    ],
)
def test_what_does_not_go_with_whole_images_or_with_patches_is_refused(config, change, said):
    config["features"]["cnn"] |= change
    assert said in problems(config)


def test_a_sensitivity_needs_a_positive_class(config):
    config["classification"] |= {"sensitivity": 0.95, "positive": None}
    assert "classification.sensitivity: 0.95 is a share of the positive slides, and positive is null" in problems(
        config
    )
    config["classification"]["positive"] = "GBM"
    assert check_config(config).classification.sensitivity == 0.95


def test_images_share_a_job_by_the_thousand_and_slides_by_a_few_unless_the_config_says(config):
    assert check_config(config).batch_size == 16
    network = {"model": "alexnet", "layer": "features", "weights": "random:0"}
    whole = {"features": {"whole": {"tiling": "whole", "encoder": network}}}
    methods = {"svm": {"features": ["whole"], "keep": ["all"]}}
    whole["classification"] = {"sheet": "a.tsv", "positive": "b", "methods": methods}
    assert check_config(whole).batch_size == 1000
    assert (check_config(config).batch_minutes, check_config(whole).batch_minutes) == (16, 100)
    assert check_config({**whole, "slides_per_job": 7}).batch_size == 7
    trained = {**whole["classification"], "methods": {"cnn": {"kind": "network"}}}
    assert check_config({"features": {}, "classification": trained}).batch_size == 1000


def test_the_segmentation_and_manual_features_take_no_whole_images(config):
    config["features"]["cnn"]["tiling"] = "whole"
    config["features"]["mf"] = {"kind": "manual", "tiling": "whole"}
    config["segmentation"] = {"sheet": "m.tsv", "methods": {"svm": {"features": "cnn"}}}
    assert "features.mf.tiling: 'whole' will not do; write a mapping such as" in problems(config)
    del config["features"]["mf"]
    assert "segmentation.methods.svm.features: cnn takes the whole image as one patch" in problems(config)


def test_a_kind_that_learns_from_patches_takes_no_whole_images(config):
    config["features"]["cnn"]["tiling"] = "whole"
    config["classification"]["methods"]["bags"] = {"kind": "mcil", "features": "cnn"}
    assert "classification.methods.bags.features: cnn takes the whole image as one patch" in problems(config)


def test_new_keys_are_no_part_of_what_features_of_patches_come_of(config):
    given = check_config(config).features["cnn"].given()
    assert set(given) == {"tiling", "encoder"}


OUTPUTS = {"fc1": {"layer": "classifier.2"}, "fc2": {"layer": "classifier.5", "map": "max"}}


def with_encoder(config, *, tiling="whole", features="cnn", **encoder):
    """Return a config whose feature set has this in place of its layer."""
    del config["features"]["cnn"]["encoder"]["layer"]
    config["features"]["cnn"]["encoder"] |= encoder
    if tiling:
        config["features"]["cnn"]["tiling"] = tiling
    config["classification"]["methods"]["svm"]["features"] = features
    return config


def test_outputs_are_candidates_of_a_method_and_one_feature_set(config):
    checked = check_config(with_encoder(config, features=["cnn/fc1", "cnn/fc2"], outputs=OUTPUTS))
    assert checked.features["cnn"].outputs == ["fc1", "fc2"]
    assert checked.feature_sets_of("classification") == ["cnn"]
    assert checked.features["cnn"].encoder.given()["outputs"] == OUTPUTS
    assert check_config(yaml.safe_load(yaml.safe_dump(checked.plain()))) == checked


def test_keys_that_are_left_out_enter_nothing_that_is_tracked(config):
    checked = check_config(config).features["cnn"]
    assert set(checked.encoder.plain()) == {"model", "layer", "weights", "input_size"}
    assert set(checked.encoder.given()) == {"model", "layer", "weights"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "features.cnn.encoder.layer: missing; write the name of a layer of the model"),
        ({"layer": "features", "outputs": OUTPUTS}, "features.cnn.encoder: both layer and outputs given"),
        ({"outputs": OUTPUTS}, "svm.features: cnn has several outputs; write one of them or more: cnn/fc1, cnn/fc2."),
        (
            {"outputs": OUTPUTS, "features": "cnn/fc3"},
            "'cnn/fc3': there is no such output, did you mean fc2?; known: cnn/fc1, cnn/fc2.",
        ),
        ({"layer": "features", "features": "cnn/fc1"}, "'cnn/fc1': cnn has one output; write cnn."),
        ({"outputs": OUTPUTS, "features": "cnn/fc1", "map": "max"}, "features.cnn.encoder.map: max is of layer"),
        ({"layer": "features", "scales": [1]}, "features.cnn.encoder.scales: it is for map: places"),
        ({"layer": "features", "map": "places", "tiling": None}, "encoder.map: places are those of whole images"),
        (
            {"layer": "features", "map": "places", "scales": [0.125, 1]},
            "encoder.scales: 0.125 of 224 px (input_size) are 28 px; write scales that give 32 to 4096 px.",
        ),
        ({"layer": "features", "map": "places", "scales": [1, 1.0]}, "names a scale twice"),
    ],
)
def test_an_encoder_says_what_it_gives_once(config, given, said):
    assert said in problems(with_encoder(config, **given))


def test_a_network_of_images_of_many_sizes_is_not_compiled(config):
    config["features"]["cnn"]["compile"] = True
    assert check_config(config).features["cnn"].compile
    said = problems(with_encoder(config, layer="features", map="places"))
    assert "features.cnn.compile: with map: places images have as many sizes as shapes" in said


SIGLIP = {"model": "timm/vit_base_patch16_siglip_224", "layer": "pooled", "weights": "webli"}
TIMM = {"model": "timm/vit_giant_patch14_224", "layer": "class", "weights": "hf-hub:MahmoodLab/UNI2-h"}


@pytest.mark.parametrize(("given", "size"), [({}, "own"), ({"input_size": 224}, 224), ({"input_size": 112}, 112)])
def test_the_size_of_one_of_timms_networks_is_the_weights_own_unless_one_is_written(config, given, size):
    config["features"]["cnn"]["encoder"] = {**TIMM, "model_args": {"reg_tokens": 8, "init_values": 1e-5}, **given}
    checked = check_config(config)
    encoder = checked.features["cnn"].encoder
    assert encoder.given() == encoder.plain() == {**config["features"]["cnn"]["encoder"], "input_size": size}
    assert type(encoder).model_validate(encoder.given()) == encoder  # as a job is handed it
    assert check_config(yaml.safe_load(yaml.safe_dump(checked.plain()))) == checked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**TIMM, "model": "timm/resnet18.a1_in1k"}, "write model: timm/resnet18 and weights: a1_in1k."),
        ({**TIMM, "model": "timm/"}, "encoder.model: 'timm/' will not do; write timm/ with the name"),
        ({**TIMM, "weights": "hf-hub:UNI2-h"}, "'hf-hub:UNI2-h' is no name on the hub"),
        ({**TIMM, "weights": "uni2.bin", "mean": [0.5] * 3, "std": [0.5] * 3}, "there is no file 'uni2.bin'"),
        ({**TIMM, "weights": "uni2.bin"}, "encoder.mean: missing; the file 'uni2.bin' does not say how its images are"),
        ({**TIMM, "mean": [0.5, 0.5, 0.5]}, "encoder.std: missing, and mean is given; write both or neither."),
        ({**TIMM, "mean": [0.5, 128, 0.5], "std": [1, 1, 1]}, "encoder.mean.1: 128 will not do; write a number from 0"),
        ({**TIMM, "model_args": {"mlp_layer": "SwiGLUPacked"}}, "encoder.model_args.act_layer: missing; SwiGLUPacked"),
        (
            {**TIMM, "model_args": {"mlp_layer": "SwiGLUPaked"}},
            "model_args.mlp_layer: 'SwiGLUPaked' will not do",
        ),
        (
            {**TIMM, "model_args": {"register_tokens": 8}},
            "register_tokens: unknown key, did you mean reg_tokens",
        ),
        (
            {**TIMM, "model_args": {"init_values": "1e-5"}},
            "init_values: '1e-5' will not do; write a number above 0",
        ),
        ({**TIMM, "input_size": "large"}, "encoder.input_size: 'large' will not do"),
        ({"model_args": {"reg_tokens": 8}}, "encoder.model_args: it is for networks of timm, and 'alexnet' is not one"),
        ({"mean": [0.5] * 3, "std": [0.5] * 3}, "encoder.mean: it is for networks of timm"),
        ({"input_size": "own"}, "encoder.input_size: it is for networks of timm"),
        ({"weights": "hf-hub:MahmoodLab/UNI2-h"}, "is loaded by timm, and 'alexnet' is not one of its networks"),
    ],
)
def test_what_does_not_go_with_timms_networks_or_with_others_is_refused(config, given, said):
    config["features"]["cnn"]["encoder"] |= given
    assert said in problems(config)


def test_timms_networks_take_patches_one_by_one_and_whole_images_of_a_size_that_is_written(config):
    config["features"]["cnn"] |= {"encoder": SIGLIP, "extraction": "dense"}
    assert "features.cnn.extraction: dense runs torchvision's networks alone; write patchwise" in problems(config)
    config["features"]["cnn"] |= {"tiling": "whole", "extraction": "patchwise"}
    assert "features.cnn.encoder.input_size: missing; with tiling: whole write it in px" in problems(config)
    config["features"]["cnn"]["encoder"] = {**SIGLIP, "input_size": 224}
    check_config(config)


def test_outputs_are_not_for_dense_extraction_nor_for_maps(config):
    config["features"]["cnn"]["extraction"] = "dense"
    said = problems(with_encoder(config, tiling=None, features="cnn/fc1", outputs=OUTPUTS))
    assert "features.cnn.encoder.outputs: extraction: dense averages one layer" in said
    config["features"]["cnn"]["extraction"] = "patchwise"
    config["segmentation"] = {"sheet": "g.tsv", "methods": {"m": {"features": "cnn/fc1"}}}
    assert "segmentation.methods.m.features: cnn/fc1 is one of several outputs" in problems(config)


def test_fisher_stands_in_place_of_norm_and_its_lists_are_candidates(config):
    method = config["classification"]["methods"]["svm"]
    before = check_config(config).classification.methods["svm"]
    assert (before.way, "fisher" in before.given()) == ("svm", False)
    method["fisher"] = {"components": 4, "kind": ["fv", "ffv", "vlad"], "pca": [None, 64]}
    found = check_config(config).classification.methods["svm"]
    assert found.way == "fisher"
    assert found.candidates == 3 * 2 * before.candidates
    assert found.fisher.stored == ["fisher", "vlad"]
    assert check_config(config).classification.pooled_sets == []
    method["norm"] = [1]
    assert "classification.methods.svm.norm: [1] is a way to pool, and so is fisher" in problems(config)


def test_fisher_needs_many_vectors_an_image(config):
    config["features"]["cnn"]["tiling"] = "whole"
    config["classification"]["methods"]["svm"]["fisher"] = {"pca": None}
    assert "classification.methods.svm.features: cnn gives one vector an image" in problems(config)
    config["features"]["cnn"]["tiling"] = {"patch_size": 336, "overlap": 0.25}
    config["classification"]["ablation"] = {"method": "svm", "keep": [1]}
    assert "'svm': it has fisher in place of norm" in problems(config)


def test_weights_that_are_trained_here_are_those_of_a_method_and_its_architecture(config):
    encoder = {"model": "resnet18", "layer": "layer4", "weights": "trained:net"}
    config["features"]["tuned"] = {"tiling": "whole", "encoder": encoder}
    methods = config["classification"]["methods"]
    methods["svm"] |= {"features": ["cnn", "tuned"]}
    where = "features.tuned.encoder.weights: 'trained:net'"
    assert f"{where}: the classification has no method of kind: network called so; add a method" in problems(config)
    methods["nets"] = {"kind": "network", "architecture": "resnet18"}
    assert f"{where}: the classification has no method of kind: network called so, did you mean nets?" in problems(
        config
    )
    methods["net"] = methods.pop("nets")
    assert check_config(config).features["tuned"].trained_by == "net"
    methods["net"]["architecture"] = "resnet34"
    assert "features.tuned.encoder.model: 'resnet18', and net trains resnet34; write that" in problems(config)
    methods["net"]["architecture"] = "custom-cnn"
    assert f"{where}: custom-cnn is made for one size of image and is no encoder" in problems(config)
    methods["net"] |= {"architecture": "resnet18", "head": "gap"}
    assert f"{where}: net has head: gap, another network than its architecture" in problems(config)
    del methods["net"]["head"]
    config["features"]["tuned"]["tiling"] = {"patch_size": 336, "overlap": 0.25}
    encoder["weights_sha256"] = "0" * 64
    said = problems(config)
    assert "features.tuned.tiling: networks trained here have seen whole images; write tiling: whole" in said
    assert "features.tuned.encoder.weights_sha256: each part has a network of its own" in said
    del encoder["weights_sha256"]
    config["features"]["tuned"]["tiling"] = "whole"
    config["classification"]["ablation"] = {"method": "svm", "keep": [1]}
    assert "classification.ablation: tuned is computed by the networks of net, one a part" in problems(config)


def test_a_network_on_patches_names_a_feature_set_that_lays_them(config):
    method = {"kind": "network", "patches_of": "cnn", "patches_per_slide": 10}
    config["classification"]["methods"]["net"] = method
    checked = check_config(config).classification
    assert (checked.methods["net"].features, checked.patch_sets) == ([], ["cnn"])
    assert not checked.methods["net"].maps
    assert checked.methods["net"].shared_out
    where = "classification.methods.net"
    method["patches_of"] = "cnm"
    assert f"{where}.patches_of: there is no feature set 'cnm', did you mean cnn?" in problems(config)
    del method["patches_of"]
    assert f"{where}.patches_per_slide: 10 is for patches_of, and that is missing" in problems(config)
    method |= {"patches_of": "cnn", "image": {"fit": "pad"}}
    assert f"{where}.image.fit: pad is for whole images, and patches are squares" in problems(config)
    method |= {"image": {}, "kind": "cam-two-stage", "architecture": "vgg16"}
    assert f"{where}.patches_of: cnn: cam-two-stage cuts out of whole images" in problems(config)
    method |= {"kind": "network", "architecture": "resnet18"}
    encoder = {"model": "resnet18", "layer": "layer4", "weights": "trained:net"}
    config["features"]["tuned"] = {"tiling": {"patch_size": 336, "overlap": 0.25}, "encoder": encoder}
    config["classification"]["methods"]["svm"]["features"] = ["tuned"]
    assert "net learns from patches (patches_of), and features of such networks are not built" in problems(config)
    config["features"]["tuned"] |= {"tiling": "whole", "encoder": {**encoder, "weights": "random:0"}}
    method["patches_of"] = "tuned"
    assert f"{where}.patches_of: tuned takes the whole image as one patch (tiling: whole)" in problems(config)
    config["features"]["tuned"] = {"kind": "imported", "format": "clam", "folder": "somewhere"}
    assert f"{where}.patches_of: the patches of tuned are another program's" in problems(config)


def test_a_network_that_is_trained_has_no_feature_set_and_keys_that_fit_each_other(config):
    config["classification"]["methods"]["cnn"] = {"kind": "network", "learning_rate": 0.01}
    method = check_config(config).classification.methods["cnn"]
    assert (method.candidates, method.features, method.about.reads) == (1, [], "images")
    assert classification_method(method.given()) == method
    wrong = {"weights": "IMAGENET1K_V1", "learning_rate": [0.1, 0.1], "epochs": 0, "augment": {"rotate": 200}}
    config["classification"]["methods"]["cnn"] |= wrong
    said = problems(config)
    where = "classification.methods.cnn"
    assert f"{where}.epochs: 0 will not do; write a whole number from 1" in said
    assert f"{where}.augment.rotate: 200 will not do; write degrees from 0 to 180" in said
    config["classification"]["methods"]["cnn"] |= {"epochs": 1, "augment": None}
    said = problems(config)
    assert f"{where}.learning_rate: [0.1, 0.1] names a candidate twice" in said
    config["classification"]["methods"]["cnn"]["learning_rate"] = 0.1
    said = problems(config)
    assert f"{where}.weights: there are no published ones of custom-cnn, and so no 'IMAGENET1K_V1'" in said
    config["classification"]["methods"]["cnn"] |= {"architecture": "arl-14"}
    assert f"{where}.weights: there are no published ones of arl-14, and so no 'IMAGENET1K_V1'" in problems(config)
    config["classification"]["methods"]["cnn"]["architecture"] = "arl-50"
    check_config(config)
    config["classification"]["methods"]["cnn"] = {"kind": "network", "architecture": "resnet18", "tuned_blocks": 2}
    assert f"{where}.tuned_blocks: 2 leaves the other blocks as they are, which without weights" in problems(config)
    config["classification"]["methods"]["cnn"] |= {"weights": "random:0"}
    assert f"{where}.weights: 'random:0': weights are drawn by the study's seed; write null." in problems(config)

"""Every result of a study is listed, and no more than that."""

from pathlib import Path
from types import MappingProxyType

import pytest

from slidecaf.study.batches import deal_shards
from slidecaf.study.checked import Study
from slidecaf.study.config import check_config
from slidecaf.study.layout import Layout
from slidecaf.study.sheets import Row
from slidecaf.study.targets import targets_of

ENCODER = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
LAYOUT = Layout()


def rows(names, split="train", **own):
    return [Row(2, name, f"{name}.svs", f"p-{name}", split, None, None, **own) for name in names]


CLASSIFIED = [*rows(["a", "b", "c", "d"], label="GBM"), *rows(["s"], "test")]
SEGMENTED = [*rows(["a", "k", "l"], mask="m.png"), *rows(["t"], "test"), *rows(["u"], "test", mask="m.png")]


def targets(
    *,
    store="all",
    hard=None,
    methods=("svm",),
    tasks=("classification", "segmentation"),
    size=2,
    varied=None,
    of=("cnn",),
    further=MappingProxyType({}),
):
    features = {"tiling": {"patch_size": 64, "stride": 64}, "encoder": ENCODER}
    config = {
        "slides_per_job": size,
        "features": {
            "cnn": features,
            "maps": {**features, "store": store},
            "unused": features,
            "whole": {"tiling": "whole", "encoder": ENCODER, "shards": 2},
        },
        "classification": {
            "sheet": "c.tsv",
            "positive": "GBM",
            "folds": 2,
            "methods": {name: {"features": list(of)} for name in methods} | further,
            "ablation": varied,
        },
        "segmentation": {
            "sheet": "s.tsv",
            "methods": {"map": {"features": "maps", "training_stride": 64, "hard_examples": hard}},
        },
    }
    config = {key: value for key, value in config.items() if key in (*tasks, "features", "slides_per_job")}
    sheets = {"classification": CLASSIFIED, "segmentation": SEGMENTED}
    listed = (sheets[task] if task in tasks else [] for task in sheets)
    return targets_of(Study(check_config(config), *listed, ["LGG", "GBM"]))


def slides(found, pattern, **wildcards):
    """Slides among some files of a kind."""
    top, _, suffix = pattern.format(slide="*", **wildcards).partition("*")
    paths = [path for path in found if path.startswith(top) and "/" not in path[len(top) :]]
    return {path[len(top) :].removesuffix(suffix) for path in paths if path.endswith(suffix)}


def test_each_slide_has_a_file_of_every_kind_that_its_task_needs():
    found = targets(hard={"stride": 64}).of_slides()
    assert len(found) == len(set(found))
    for pattern in (LAYOUT.tiles, LAYOUT.features, LAYOUT.pooled):
        assert slides(found, pattern, features="cnn") == set("abcds")
    for pattern in (LAYOUT.tiles, LAYOUT.features):
        assert slides(found, pattern, features="maps") == set("akltu")
    assert slides(found, LAYOUT.labels, features="maps") == set("aklu")  # those that have a mask
    assert slides(found, LAYOUT.thumbnail) == set("abcdskltu")
    for variant in ("plain", "hard"):
        own = {"method": "map", "variant": variant}
        assert slides(found, LAYOUT.maps, **own) == set("akl")
        for pattern in (LAYOUT.confidence, LAYOUT.mask, LAYOUT.overlay, LAYOUT.score, LAYOUT.outlines):
            assert slides(found, pattern, **own) == set("akltu")
    assert not [path for path in found if "unused" in path]


def test_where_features_of_test_slides_are_not_stored_these_are_judged_at_once():
    found = targets(store="train").of_slides()
    assert slides(found, LAYOUT.features, features="maps") == set("akl")
    assert slides(found, LAYOUT.confidences, method="map") == set("tu")


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_manifest_lies_beside_the_slides_files_for_every_batch_that_has_some(size):
    made = targets(size=size)
    segmented = {"confidence", "mask", "overlay", "score"}  # these four folders have one manifest, above them
    tops = {Path(path).parent for path in made.of_slides()}
    tops = {top.parent if top.name in segmented else top for top in tops}
    found = [path for path in made.everything() if Path(path).name.startswith("batch-")]
    assert {Path(path).parent for path in found} == tops
    of_tiles = {path for path in found if path.startswith("results/tiles/cnn/")}
    assert of_tiles == set(made.manifests(LAYOUT.tiles, "abcds", features="cnn"))
    assert 2 <= len(of_tiles) <= 5  # training and test slides apart
    assert size > 1 or len(of_tiles) == 5


def test_everything_is_listed_once_and_holds_what_each_task_makes():
    made = targets(hard={"stride": 64})
    found = made.everything()
    assert len(found) == len(set(found))
    assert {*made.of_classification(), *made.of_segmentation(), *made.for_the_report(), *made.encoders()} <= set(found)
    assert {"results/study.yaml", "results/report.html"} <= set(found)
    assert {
        *("results/classification/svm/fold-1/choice.json", "results/classification/svm/final/model.json"),
        *("results/classification/svm/final/decisions.tsv", "results/classification/svm/scores.json"),
        *("results/segmentation/map/hard/fold-2/model.h5", "results/segmentation/map/comparison.json"),
        *("results/segmentation/map/hard/fold-0/hard_examples.tsv", "results/segmentation/map/scores.tsv"),
    } <= set(found)


def test_the_report_reads_files_that_are_made_and_no_large_ones():
    made = targets(hard={"stride": 64}, methods=("svm", "other"))
    read = made.read_by_the_report()
    assert set(read) <= set(made.everything())
    assert not [path for path in read if path.startswith(("results/features", "results/pooled", "results/labels"))]
    assert not [path for path in read if Path(path).suffix in (".h5", ".tif")]


def test_methods_are_compared_where_there_are_several():
    assert LAYOUT.comparison not in targets().everything()
    assert LAYOUT.comparison in targets(methods=("svm", "other")).everything()


def test_nothing_is_retrained_unless_the_config_says_so():
    assert not [path for path in targets().everything() if "hard" in path or path.endswith("/comparison.json")]


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_study_of_one_task_makes_nothing_of_the_other(task):
    made = targets(tasks=(task,))
    other = {"classification": "segmentation", "segmentation": "classification"}[task]
    assert not [path for path in made.everything() if f"results/{other}/" in path]
    assert made.encoders() == [f"results/encoders/{'cnn' if task == 'classification' else 'maps'}.json"]


def test_each_task_has_a_table_of_its_methods_of_one_too():
    found = targets().everything()
    assert {"results/classification/comparison.tsv", "results/segmentation/comparison.tsv"} <= set(found)
    assert "results/segmentation/comparison.tsv" not in targets(tasks=("classification",)).everything()


def test_behind_a_methods_scores_are_its_own_files_and_its_feature_sets():
    made = targets(hard={"stride": 64}, methods=("svm", "other"))
    behind = made.behind("classification", "svm")
    tops = {"/".join(path.split("/")[1:3]) for path in behind}
    assert tops == {"encoders/cnn.json", "tiles/cnn", "features/cnn", "pooled/cnn", "classification/svm"}
    assert set(behind) <= set(made.everything())
    assert not [path for path in behind if path.endswith(("comparison.json", "comparison.tsv"))]
    both = made.behind("classification")
    assert set(both) == {*behind, *made.behind("classification", "other")}
    plain, hard = (set(made.behind("segmentation", "map", variant)) for variant in ("plain", "hard"))
    assert plain < hard
    assert {path.split("/")[3] for path in hard - plain} == {"hard", "hard_examples.tsv", "hard_examples.json"}
    assert {*made.manifests(LAYOUT.labels, "akl", features="maps"), "results/segmentation/map/scores.json"} <= plain


def test_an_ablation_adds_a_file_a_value_and_the_sets_it_tries():
    varied = {"method": "svm", "norm": [1, "inf"], "features": ["unused"]}
    plain, made = targets(), targets(varied=varied)
    assert not [path for path in plain.everything() if "ablation" in path]
    added = set(made.everything()) - set(plain.everything())
    tried = [f"results/classification/svm/ablation/{name}.tsv" for name in ("norm-1", "norm-inf", "features-unused")]
    assert {*tried, "results/classification/ablation.tsv"} <= added
    assert made.of_varied(LAYOUT.predictions) == ["results/classification/svm/predictions.tsv"]
    others = {path.split("/")[1] for path in added - {*tried, "results/classification/ablation.tsv"}}
    assert others == {"tiles", "features", "pooled", "encoders"}
    # what is tried is none of the method's own cost
    assert made.behind("classification", "svm") == plain.behind("classification", "svm")


def test_whole_images_have_shards_and_neither_tiles_nor_pooled_files():
    made = targets(of=("whole", "cnn"))
    shards = deal_shards("abcds", 2)
    files = [path for path in made.of_slides() if "/whole/" in path]
    assert sorted(files) == [f"results/features/whole/shard-{k}.h5" for k in shards]
    manifests = [f"results/features/whole/shard-{k}.tsv" for k in shards]
    assert [path for path in made.everything() if "/whole/" in path] == manifests
    assert "results/encoders/whole.json" in made.everything()
    for pattern in (LAYOUT.tiles, LAYOUT.features, LAYOUT.pooled):
        assert made.manifests(pattern, "abcds", features="whole") == manifests
    (mine,) = (k for k, shard in shards.items() if "a" in shard)
    assert made.manifests(LAYOUT.pooled, "a", features="whole") == [f"results/features/whole/shard-{mine}.tsv"]
    assert set(manifests) <= set(made.read_by_the_report())


def test_heat_maps_are_of_methods_none_of_whose_candidates_takes_whole_slides():
    found = targets()
    assert {f"results/classification/svm/heatmap/{slide}.h5" for slide in "abcds"} <= set(found.of_slides())
    assert "results/classification/svm/evidence.tsv" in found.everything()
    assert any("svm/heatmap/batch-" in path for path in found.read_by_the_report())
    for of in (["whole"], ["cnn", "whole"]):
        found = targets(of=of)
        files = {*found.of_slides(), *found.everything(), *found.read_by_the_report()}
        assert not [path for path in files if "heatmap" in path or "evidence" in path]


def test_a_network_on_patches_has_heat_maps_and_tiles_alone_and_one_on_whole_images_has_none():
    network = {"kind": "network", "architecture": "squeezenet1_1"}
    found = targets(further={"net": {**network, "patches_of": "unused"}, "images": network})
    assert slides(found.of_slides(), LAYOUT.heatmap, method="net") == set("abcds")
    assert "results/classification/net/evidence.tsv" in found.everything()
    read = found.read_by_the_report()
    assert len(read) == len(set(read))
    for pattern, wildcards in ((LAYOUT.heatmap, {"method": "net"}), (LAYOUT.tiles, {"features": "unused"})):
        assert set(found.manifests(pattern, "abcds", **wildcards)) <= set(read)
    files = {*found.of_slides(), *found.everything(), *read}
    assert not [path for path in files if "net/maps" in path or "images/heatmap" in path or "images/evidence" in path]
    assert not [path for path in files if "features/unused" in path]

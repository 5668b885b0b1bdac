"""Feature sets: for which slides, what their features depend on, and who looks at a network first."""

import pytest

from slidecaf.running.jobs.feature_sets import FEW
from slidecaf.running.jobs.params import UNUSED
from tests.unit.running.jobs.planned import TEST, TRAIN, Job, Planned


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plan the study with a feature set changed."""

    def changed(features, **own):
        monkeypatch.chdir(tmp_path)
        return Planned(lambda config: config["features"].update({features: {**config["features"][features], **own}}))

    return changed


def test_sets_are_told_apart_as_they_are_computed(planned):
    sets = planned.sets
    assert sets.tiled == sets.patchwise == ["cnn", "fused", "unused"]
    folds = [f"{name}@fold-{k}" for name in ("tuned", "places") for k in (0, 1)]
    assert set(sets.whole) == {"whole", "tuned", "places", *folds}
    assert set(sets.networks) == {*sets.tiled, *sets.whole}
    assert (sets.manual, sets.imported) == ([], [])


def test_each_set_is_for_the_slides_that_need_it(planned):
    sets = planned.sets
    assert sets.slides(Job(features="cnn")) == {*TRAIN, *TEST}
    assert sets.slides(Job(features="tuned@fold-1")) == set(TRAIN)  # a fold's network reads no test row
    assert sets.slides(Job(features="unused")) == {*TRAIN, *TEST}  # asked for by name
    assert sets.kept(Job(features="fused")) == {*TRAIN, *TEST}  # an ablation of the classification reads all


def test_test_slides_of_the_segmentation_have_no_features_file_where_the_set_stores_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sets = Planned(lambda config: config["classification"].pop("ablation")).sets
    assert sets.kept(Job(features="fused")) == set(TRAIN)
    assert sets.slides(Job(features="fused")) == {*TRAIN, *TEST}


def test_a_job_of_a_method_is_about_the_methods_set(planned):
    sets = planned.sets
    assert sets.name(Job(method="maps", batch="0")) == "fused"
    assert sets.name(Job(method="circles")) is None
    assert sets.settings(Job(method="maps")) == sets.settings(Job(features="fused"))


def test_which_files_are_kept_and_how_many_reruns_nothing(plan):
    before, stored = plan("cnn").sets, plan("cnn", store="train").sets
    assert stored.settings(Job(features="cnn")) == before.settings(Job(features="cnn"))
    more, other = plan("whole", shards=5).sets, plan("whole", batch_size=7).sets
    assert more.settings(Job(features="whole")) == before.settings(Job(features="whole"))
    assert other.settings(Job(features="whole")) != before.settings(Job(features="whole"))


def test_only_who_uses_a_library_depends_on_it(plan):
    assert plan("cnn").sets.libraries(Job(features="cnn")) == ()
    assert plan("cnn", image={"hair_removal": True}).sets.libraries(Job(features="cnn")) == ("scipy",)
    timm = {"model": "timm/resnet18", "layer": "pooled", "weights": "random:0"}
    assert plan("cnn", encoder=timm).sets.libraries(Job(features="cnn")) == ("timm",)


def test_a_network_trained_here_is_an_input_of_its_part_and_no_digest(planned):
    sets = planned.sets
    assert sets.network(Job(features="tuned@fold-1")) == "results/classification/net/fold-1/network.safetensors"
    assert sets.network(Job(features="tuned")) == "results/classification/net/final/network.safetensors"
    assert sets.weights(Job(features="tuned@fold-1")) == ""
    assert sets.network(Job(features="cnn")) == []


def test_a_weights_file_counts_by_its_bytes(plan, tmp_path):
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "own.pth"}
    sets = plan("cnn", encoder=encoder).sets
    (tmp_path / "own.pth").write_bytes(b"one")
    before = sets.weights(Job(features="cnn"))
    (tmp_path / "own.pth").write_bytes(b"another")
    assert "" != before != sets.weights(Job(features="cnn"))


def test_a_network_is_looked_at_first_where_many_jobs_could_fail_or_its_precision_is_chosen(plan, monkeypatch):
    first = Job(features="cnn")
    planned = plan("cnn")
    manifests = planned.targets.manifests(planned.layout.features, [*TRAIN, *TEST], features="cnn")
    assert planned.sets.first_manifest(first) == manifests[:1]
    assert planned.sets.looked_at_first(first) == []
    auto = plan("cnn", precision="auto").sets
    assert (auto.first_manifest(first), auto.looked_at_first(first)) == ([], ["results/encoders/cnn.json"])
    many = plan("cnn").sets
    monkeypatch.setattr("slidecaf.running.jobs.feature_sets.FEW", 1)
    assert FEW > 1
    assert many.looked_at_first(first) == ["results/encoders/cnn.json"]


def test_a_stain_counts_by_its_target_which_a_job_waits_for(plan, tmp_path):
    assert plan("cnn").sets.stain(Job(features="cnn")) is UNUSED
    planned = plan("cnn", image={"stain": {"method": "reinhard", "target": "c"}})
    (tmp_path / "c.svs").write_bytes(b"one")
    found = planned.sets.stain(Job(features="cnn"))
    assert found == {"digest": planned.digests.file("c.svs"), "mpp": None, "scene": ""}
    files = planned.sets.with_target(lambda wildcards: {"a": "a.svs"})
    assert files(Job(features="cnn")) == {"a": "a.svs", "": "c.svs"}
    assert files(Job(features="whole")) == {"a": "a.svs"}


def test_patches_follow_the_region_of_a_slide_that_has_one(planned, tmp_path):
    (tmp_path / "roi.geojson").write_text("{}")
    without = planned.sets.tiled_from("a", Job(features="cnn"))
    assert without == planned.digests.slide("a")
    object.__setattr__(planned.sets._rows["a"], "roi", "roi.geojson")
    limited = planned.sets.tiled_from("a", Job(features="cnn"))
    assert limited == {**without, "roi": planned.digests.file("roi.geojson", whole=True)}
    number, _ = planned.batch_of("a")
    assert planned.sets.regions(Job(features="cnn", batch=number)) == {"a": "roi.geojson"}


def test_dense_features_depend_on_the_stride(plan):
    assert plan("cnn").sets.dense_tiling(Job(features="cnn")) is None
    dense = plan("cnn", extraction="dense").sets
    assert dense.dense_tiling(Job(features="cnn"))["stride"] == 64

"""Jobs of the classification read training slides to learn and others to decide, each part what is its own."""

import pytest

from slidecaf.running.jobs.classification import ClassificationJobs
from slidecaf.study.caveats import RANDOM_WEIGHTS, SYNTHETIC, TRAINED_ON_THE_SAME
from tests.unit.running.jobs.planned import TEST, TRAIN, Job, Planned

FOLD, FINAL = {"part": "fold-1"}, {"part": "final"}


@pytest.mark.parametrize("part", [FOLD, FINAL])
@pytest.mark.parametrize("method", ["mean", "mcil"])
def test_every_part_reads_batches_of_training_slides_alone(planned, method, part):
    read = planned.classified.learned_from(Job(method=method, **part))
    assert planned.slides_in(read) == set(TRAIN)


@pytest.mark.parametrize("part", [FOLD, FINAL])
def test_of_whole_images_a_part_reads_the_shards_that_training_slides_are_in(planned, part):
    read = planned.classified.learned_from(Job(method="svm", **part))
    own = planned.targets.manifests(planned.layout.features, TRAIN, features="whole")
    assert [path for path in read if "/whole/" in path] == own
    assert planned.slides_in(own) >= set(TRAIN)


@pytest.mark.parametrize("method", ["svm", "mcil", "tuned"])
def test_a_fold_decides_among_training_slides_and_the_final_part_on_test_slides(planned, method):
    decided = planned.classified.decided_on
    assert planned.slides_in(decided(Job(method=method, **FOLD))) >= set(TRAIN)
    assert planned.slides_in(decided(Job(method=method, **FINAL))) >= set(TEST)
    for one, slides in ((FOLD, TRAIN), (FINAL, TEST)):
        assert planned.classified.decided(Job(method=method, **one)) == slides
    assert planned.classified.decided_test(Job(method=method, **FOLD)) == []
    assert planned.classified.decided_test(Job(method=method, **FINAL)) == TEST


def folders(paths):
    return {path.rpartition("/")[0] for path in paths}


def test_a_kind_reads_pooled_vectors_patches_or_what_its_part_encoded(planned):
    learned = planned.classified.learned_from
    assert folders(learned(Job(method="mean", **FOLD))) == {"results/pooled/cnn"}
    assert folders(learned(Job(method="svm", **FOLD))) == {"results/pooled/cnn", "results/features/whole"}
    assert folders(learned(Job(method="mcil", **FOLD))) == {"results/features/cnn"}
    encoded = "results/classification/fv/fold-1/fisher"
    assert learned(Job(method="fv", **FOLD)) == f"{encoded}/training.h5"
    assert planned.classified.decided_on(Job(method="fv", **FOLD)) == f"{encoded}/left_out.h5"


def test_a_part_reads_the_features_of_its_own_network_and_of_no_other(planned):
    learned, decided = planned.classified.learned_from, planned.classified.decided_on
    for found in (learned, decided):
        assert folders(found(Job(method="tuned", **FOLD))) == {"results/features/tuned@fold-1"}
        assert folders(found(Job(method="tuned", **FINAL))) == {"results/features/tuned"}


def test_what_is_encoded_are_the_rows_that_a_part_learns_from_or_decides_on(planned):
    to_encode = planned.classified.features_to_encode
    for rows, part, slides, folder in (
        ("training", FOLD, TRAIN, "places@fold-1"),
        ("left_out", FOLD, TRAIN, "places@fold-1"),
        ("training", FINAL, TRAIN, "places"),
        ("left_out", FINAL, TEST, "places"),
    ):
        found = to_encode(Job(method="fv", rows=rows, **part))
        assert found == planned.targets.manifests(planned.layout.features, slides, features=folder)
    assert to_encode(Job(method="fv", **FINAL)) == to_encode(Job(method="fv", rows="training", **FINAL))  # mixtures
    test = planned.classified.encoded_test
    assert test(Job(method="fv", rows="left_out", **FINAL)) == TEST
    assert test(Job(method="fv", rows="training", **FINAL)) == test(Job(method="fv", rows="left_out", **FOLD)) == []


def test_codebooks_depend_on_no_setting_of_the_classifier(tmp_path, monkeypatch, planned):
    def change(config):
        config["classification"]["methods"] = {
            **config["classification"]["methods"],
            "fv": {**config["classification"]["methods"]["fv"], "C": [0.1, 10]},
        }

    other = Planned(change).classified
    job = Job(method="fv", **FINAL)
    assert other.codebooks(job) == planned.classified.codebooks(job)
    assert set(other.codebooks(job)) == {"features", "pca", "components", "steps"}
    # several values to choose among want inner folds of the final part too
    assert (planned.classified.inner_folds(job), other.inner_folds(job)) == (None, 3)
    assert planned.classified.inner_folds(Job(method="fv", **FOLD)) == 3


def test_a_batch_is_scored_by_the_parts_that_never_saw_its_slides(planned):
    training, test = (planned.batch_of(slide)[0] for slide in ("a", "y"))
    parts = planned.classified.scoring_parts
    assert parts(Job(method="svm", batch=training)) == ["fold-0", "fold-1"]
    assert parts(Job(method="svm", batch=test)) == ["final"]
    models = planned.classified.of_parts(planned.layout.model)
    assert models(Job(method="svm", batch=test)) == ["results/classification/svm/final/model.json"]


def test_a_batch_has_a_manifest_of_each_candidate_and_of_each_part_that_scores_it(planned):
    training = planned.batch_of("a")[0]
    of_batch = planned.classified.of_batch(planned.layout.pooled)
    assert of_batch(Job(method="mean", batch=training)) == [f"results/pooled/cnn/batch-{training}.tsv"]
    sets = planned.classified.sets_of_batch(Job(method="fv", batch=training))
    assert list(sets) == ["places@fold-0", "places@fold-1"]
    listed = planned.classified.features_of_batch(Job(method="fv", batch=training))
    assert listed == [*sets["places@fold-0"], *sets["places@fold-1"]]
    assert planned.slides_in(listed) >= set(planned.batch_of("a")[1])


def test_a_network_on_patches_reads_the_tiles_of_its_batch(tmp_path, planned):
    def change(config):
        net = {"kind": "network", "patches_of": "unused"}
        config["classification"]["methods"] = {**config["classification"]["methods"], "squares": net}

    other = Planned(change)
    number, own = other.batch_of("a")
    found = other.classified.of_batch(other.layout.tiles)(Job(method="squares", batch=number))
    assert found == [f"results/tiles/unused/batch-{number}.tsv"]
    assert other.slides_in(found) == set(own)


def test_a_map_depends_on_its_slides_mask(planned, tmp_path):
    (tmp_path / "a-mask.png").write_bytes(b"mask")
    found = planned.classified.mapped_from("a", Job(method="fv"))
    assert found["mask"] == planned.digests.file("a-mask.png", whole=True) != ""
    assert planned.classified.mapped_from("c", Job(method="fv")) == {**planned.digests.slide("c"), "mask": ""}
    number, own = planned.batch_of("a")
    masks = planned.classified.masks(Job(batch=number))
    assert masks == {slide: "a-mask.png" if slide == "a" else "" for slide in own}


def test_norms_are_those_that_methods_and_the_ablation_ask_for_each_once(planned):
    norms = planned.classified.norms
    assert norms(Job(features="cnn")) == [1, 2, 3, "inf"]
    assert norms(Job(features="fused")) == [1]  # the ablation's other set, with the method's own norm
    assert norms(Job(features="unused")) == []


def test_one_setting_varied_reads_training_slides_of_its_own_set(planned):
    job = Job(method="mean", setting="features-fused")
    assert planned.classified.varied(job)["features"] == ["fused"]
    assert folders(planned.classified.pooled_varied(job)) == {"results/pooled/fused"}
    assert planned.slides_in(planned.classified.pooled_varied(job)) == set(TRAIN)


def test_caveats_say_what_features_and_slides_are(planned):
    caveats = planned.classified.caveats
    assert caveats(Job(method="svm")) == [RANDOM_WEIGHTS]
    assert caveats(Job(method="tuned")) == [TRAINED_ON_THE_SAME]
    shared = planned.study, planned.targets, planned.slides, planned.digests
    assert SYNTHETIC in ClassificationJobs(*shared, made={"a.svs"}).caveats(Job(method="svm"))


def test_a_network_begins_with_the_bytes_of_its_weights(planned, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"one")
    assert planned.classified.weights(Job(method="net")) == planned.digests.file("own.pth", whole=True)
    assert planned.classified.checkpoint(Job(method="net", **FOLD)).startswith("results/classification/net/fold-1/.")

"""Jobs of the segmentation: each slide mapped by models that never saw it, by what its method's kind has of its own."""

import pytest

from slidecaf.study.caveats import RANDOM_WEIGHTS
from slidecaf.study.kinds import SEGMENTATION_KINDS
from tests.unit.running.jobs.planned import TEST, TRAIN, Job, Planned


@pytest.fixture
def training(planned):
    return planned.batch_of("a")[0]


@pytest.fixture
def test(planned):
    return planned.batch_of("y")[0]


def test_a_batch_is_mapped_by_the_parts_that_leave_its_slides_out(planned, training, test):
    task = planned.targets.segmentation
    mapped = planned.segmented.mapped_parts
    assert mapped(Job(method="maps", batch=test)) == ["final"]
    own = {f"fold-{task.groups[slide]}" for slide in planned.batch_of("a")[1]}
    assert mapped(Job(method="maps", batch=training)) == sorted(own)
    assert task.groups["a"] == task.groups["b"]  # one patient


def test_models_of_regions_map_training_slides_for_every_part_that_chooses_among_them(planned, training, test):
    parts = planned.segmented.mapping_parts
    assert parts(Job(method="circles", batch=training)) == planned.targets.segmentation.left_out
    assert parts(Job(method="circles", batch=test)) == ["final"]
    models = planned.segmented.of_mapping_parts(planned.layout.region_models)
    job = Job(method="circles", variant="plain", batch=test)
    assert models(job) == ["results/segmentation/circles/plain/final/clusters.json"]


def test_choices_are_those_of_the_parts_that_map_the_batch(planned, test):
    choices = planned.segmented.of_mapped_parts(planned.layout.map_choice)
    found = choices(Job(method="maps", variant="hard", batch=test))
    assert found == ["results/segmentation/maps/hard/final/choice.json"]


def test_a_kind_has_cells_and_labels_of_its_own(planned, training):
    cells, labels = planned.segmented.of_batch("cells"), planned.segmented.of_training("labels")
    tiled, circled = Job(method="maps", batch=training), Job(method="circles", batch=training)
    assert cells(tiled) == f"results/tiles/fused/batch-{training}.tsv"
    assert cells(circled) == f"results/segmentation/circles/regions/batch-{training}.tsv"
    assert all(path.startswith("results/labels/fused/") for path in labels(tiled))
    assert all(path.startswith("results/segmentation/circles/labels/") for path in labels(circled))
    assert planned.slides_in(labels(tiled)) == planned.slides_in(labels(circled)) == set(TRAIN)


def test_maps_of_training_slides_are_of_the_jobs_variant_or_of_the_one_that_is_named(planned):
    job = Job(method="maps", variant="hard", part="final")
    assert planned.slides_in(planned.segmented.maps_of("{variant}")(job)) == set(TRAIN)
    assert all("/maps/hard/maps/" in path for path in planned.segmented.maps_of("{variant}")(job))
    assert all("/maps/plain/maps/" in path for path in planned.segmented.maps_of("plain")(job))


def test_only_the_hard_variant_learns_from_hard_examples(planned):
    hard, plain = (Job(method="maps", variant=variant) for variant in ("hard", "plain"))
    lists = planned.segmented.hard_lists(hard)
    assert [path.split("/")[-2] for path in lists] == [*planned.targets.segmentation.left_out, "maps"]
    assert planned.segmented.hard_lists(plain) == []
    assert planned.segmented.hard_settings(plain) is None
    assert planned.segmented.hard_settings(hard)["stride"] == 64
    assert planned.segmented.hard_settings(Job(method="maps")) == planned.segmented.hard_settings(hard)  # their search
    assert planned.segmented.segments_of("hard")(Job(method="circles")) == []
    assert planned.slides_in(planned.segmented.segments_of("hard")(Job(method="maps"))) == {*TRAIN, *TEST}


def test_test_slides_are_judged_on_the_way_from_features_or_have_maps(tmp_path, monkeypatch, planned):
    def judged(one, method):
        job, made = Job(method=method), one.segmented
        return made.judged_on_the_way(job), made.judged_from_features(job), set(made.mapped(job))

    assert judged(planned, "maps") == (set(TEST), set(), set(TRAIN))
    assert judged(planned, "circles") == (set(), set(), {*TRAIN, *TEST})
    stored = Planned(lambda config: config["features"]["fused"].update(store="all"))
    assert judged(stored, "maps") == (set(), set(TEST), set(TRAIN))


def test_final_models_are_one_a_variant(planned):
    top = "results/segmentation/maps"
    assert planned.segmented.final_models(Job(method="maps")) == [
        f"{top}/{v}/final/model.h5" for v in ("plain", "hard")
    ]
    assert planned.segmented.encoder(Job(method="maps")) == "results/encoders/fused.json"


def test_settings_that_later_versions_brought_and_a_method_does_not_use_rerun_nothing(planned):
    kind = SEGMENTATION_KINDS["svm"]
    found = planned.segmented.settings("C", *kind.unused)(Job(method="maps"))
    assert set(found) == {"C"}
    assert {"C", "smooth", "min_object", "max_hole"} == set(planned.segmented.grid(Job(method="maps")))
    assert set(kind.told_by) - set(kind.unused) == {"C"}


def test_what_a_slides_mask_depends_on_are_its_file_part_and_masks(planned, tmp_path):
    (tmp_path / "a-mask.png").write_bytes(b"mask")
    found = planned.segmented.segmented_from("a", Job(method="maps"))
    digest = planned.digests.file("a-mask.png", whole=True)
    part = planned.targets.segmentation.part_of("a")
    assert found == {**planned.digests.slide("a"), "part": part, "masks": {"mask": digest, "hemorrhage": ""}}
    assert planned.segmented.mask_digests("z", Job()) == {"mask": "", "hemorrhage": ""}


def test_files_of_slides_and_of_masks_have_names_of_their_own(planned, training):
    paths = planned.segmented.paths(Job(method="maps", batch=training))
    own = planned.batch_of("a")[1]
    assert {key: path for key, path in paths.items() if key in own} == {slide: f"{slide}.svs" for slide in own}
    assert paths["a", "mask"] == "a-mask.png"
    assert len(paths) == 3 * len(own)
    assert {path for path in planned.segmented.mask_files() if path} == {f"{s}-mask.png" for s in "abcy"}


def test_caveats_are_those_of_the_kind_and_of_its_features(planned):
    assert planned.segmented.caveats(Job(method="maps")) == [RANDOM_WEIGHTS]
    assert planned.segmented.caveats(Job(method="circles")) == list(SEGMENTATION_KINDS["graph-rlm"].caveats)

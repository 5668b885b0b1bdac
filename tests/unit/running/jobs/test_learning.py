"""What jobs that learn ask for follows what their kind reads."""

from math import ceil
from types import SimpleNamespace

from slidecaf.running.jobs.learning import IMAGES, PATCHES, LearningDemands, fitting_demands
from tests.unit.running.jobs.planned import TRAIN, Job


def learning(planned):
    demands = SimpleNamespace(patches=lambda slide, features: {"cnn": 100}[features])
    return LearningDemands(demands, planned.targets.classification, threads=6)


def test_only_a_kind_that_reads_patches_holds_those_of_all_training_slides(planned):
    assert learning(planned).held(Job(method="mcil")) == 100 * len(TRAIN)
    assert learning(planned).held(Job(method="svm")) == 0


def test_pooled_vectors_take_one_thread_and_all_else_those_of_the_config(planned):
    assert [learning(planned).threads(Job(method=name)) for name in ("svm", "mcil", "fv")] == [1, 6, 6]


def test_a_network_has_time_for_every_image_of_every_epoch_and_as_much_again_with_each_attempt(planned):
    method = planned.targets.classification.methods["net"]
    images = len(TRAIN) * 6 * method.candidates * method.stages
    assert learning(planned).minutes(Job(method="net"), 1) == ceil(30 + images / IMAGES / 60)
    assert learning(planned).minutes(Job(method="net"), 3) == 3 * learning(planned).minutes(Job(method="net"), 1)


def test_heat_maps_have_time_for_every_patch_of_their_batch(planned):
    number, slides = planned.batch_of("a")
    demands = SimpleNamespace(patches=lambda slide, features: 10**6, slides=lambda wildcards: slides)
    task = SimpleNamespace(methods={"net": SimpleNamespace(patches_of="cnn")})
    found = LearningDemands(demands, task, threads=6).heatmap_minutes(Job(method="net", batch=number), 2)
    assert found == 2 * ceil(30 + 0.01 * len(slides) + len(slides) * 10**6 / PATCHES / 60)


def test_a_method_whose_svms_torch_fits_asks_for_what_a_network_does_and_no_other_of_the_study():
    methods = {"card": SimpleNamespace(solver="torch"), "svm": SimpleNamespace(solver="numpy"), "graph": object()}
    extraction = {"gpu": 1, "slurm_partition": "gpu", "gpu_model": "a100"}
    asked = fitting_demands(methods, extraction, "cpu")
    assert {key: value(Job(method="card")) for key, value in asked.items()} == extraction
    for other in ("svm", "graph"):
        found = {key: value(Job(method=other)) for key, value in asked.items()}
        assert found == {"gpu": 0, "slurm_partition": "cpu", "gpu_model": None}
    assert fitting_demands({"svm": methods["svm"]}, extraction, "cpu") == {}

"""Tables of methods: a file of each, what has to be said beside it, and which of its jobs were measured."""

from slidecaf.running.jobs import methods
from slidecaf.running.jobs.methods import MethodJobs
from slidecaf.study.caveats import note_of
from tests.unit.running.jobs.planned import METHODS, Job

CLASSIFICATION, SEGMENTATION = Job(task="classification"), Job(task="segmentation")


def test_a_table_reads_a_file_of_each_method_of_its_task(planned):
    jobs, layout = MethodJobs(planned.targets, [], list), planned.layout
    each = jobs.each(layout.scores, layout.segmentation_scores)
    assert each(CLASSIFICATION) == [f"results/classification/{name}/scores.json" for name in METHODS]
    assert each(SEGMENTATION) == [f"results/segmentation/{name}/scores.json" for name in ("maps", "circles")]
    assert set(jobs.behind(SEGMENTATION)) == set(planned.targets.behind("segmentation"))
    assert jobs.noted(CLASSIFICATION)["mcil"] == {"kind": "mcil", "note": note_of("mcil")}


def test_jobs_are_listed_by_variant_and_of_no_method_whose_features_took_unknown_time(planned, monkeypatch):
    monkeypatch.setattr(methods, "jobs_behind", lambda rules, files: (rules, sorted(files)))
    jobs = MethodJobs(planned.targets, ["whole"], lambda: ["rules"])
    found = jobs.measured(SEGMENTATION)
    assert {name: list(own) for name, own in found.items()} == {"maps": ["plain", "hard"], "circles": ["plain"]}
    assert found["maps"]["plain"] == (["rules"], sorted(planned.targets.behind("segmentation", "maps", "plain")))
    assert jobs.measured(CLASSIFICATION)["svm"] == {"": []}
    assert jobs.measured(CLASSIFICATION)["mean"][""][1]

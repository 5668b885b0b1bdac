"""What jobs ask of a cluster, and what both profiles have in common; plans only, SLURM itself is in tests/slurm."""

import os
import re

import pytest
import yaml

from tests.workflow.conftest import Study, make_mini, mini_config, segmentation_config


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A study of both tasks of which nothing has been run."""
    config, other = mini_config(), segmentation_config()
    config["features"] |= other["features"]
    config |= {"segmentation": other["segmentation"], "threads": 2}
    return make_mini(tmp_path_factory.mktemp("studies") / "planned", patients=4, size=300, config=config)


def plan(study, *arguments, profile="slurm"):
    """Return what a plan says of each job: rule and slide to its threads and resources."""
    chosen = study.root / "profiles" / profile if isinstance(profile, str) else profile
    dry = study.snakemake("--workflow-profile", chosen, "-n", *arguments)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    jobs = {}
    for block in re.findall(r"^rule .*?(?=^$|^\[)", dry.stdout, re.DOTALL | re.MULTILINE):
        said = dict(re.findall(r"^ +(\w+): (.*)$", block, re.MULTILINE))
        wildcards = dict(part.split("=") for part in said.get("wildcards", "").split(", ") if part)
        asked = dict(part.split("=") for part in said["resources"].split(", "))
        jobs[re.match(r"rule (\w+)", block)[1], wildcards.get("features"), wildcards.get("batch")] = asked
    return jobs


@pytest.fixture(scope="module")
def first(planned):
    return plan(planned)


def test_every_job_asks_for_memory_time_and_threads(first):
    assert len({rule for rule, _, _ in first}) > 18
    for job, asked in first.items():
        assert {"mem_mb", "runtime", "cpus_per_task"} <= set(asked), job
        assert int(asked["mem_mb"]) >= 1000, job
        assert int(asked["runtime"]) >= 15, job


def test_each_further_attempt_asks_for_as_much_again(planned, first):
    third = plan(planned, "--attempt", "3")
    for job, asked in first.items():
        if job[0] != "all":
            assert int(third[job]["mem_mb"]) == 3 * int(asked["mem_mb"]), job
            assert int(third[job]["runtime"]) == 3 * int(asked["runtime"]), job


def test_a_larger_slide_asks_for_more(planned, first, tmp_path):
    study = planned.copy(tmp_path / "study")
    slide = study / "slides/gbm-1.png"
    os.truncate(slide, 10**9)
    grown = {job for job, asked in plan(study).items() if int(asked["mem_mb"]) > int(first[job]["mem_mb"])}
    assert {batch for _, _, batch in grown} == {str(study.batch_of("gbm-1"))}
    rules = {"tiles", "features", "labels", "maps", "segment", "outlines", "thumbnails"}
    assert {rule for rule, _, _ in grown} == rules


def test_only_jobs_that_run_a_network_ask_for_a_gpu_and_never_for_two(first, repository):
    asked = {rule: resources.get("gpu", "0") for (rule, _, _), resources in first.items()}
    # few batches, by whose features the network is described
    assert {rule for rule, gpus in asked.items() if gpus == "1"} == {"features"}
    assert set(asked.values()) == {"0", "1"}
    rules = "".join(path.read_text() for path in (repository / "workflow/rules").glob("*.smk"))
    assert not re.search(r"^ +group:", rules, re.MULTILINE)  # a group would ask for the GPUs of all its jobs


def site(folder, repository, **keys):
    """Write the profile as a site changes it; return its folder."""
    profile = yaml.safe_load((repository / "profiles/slurm/config.yaml").read_text())
    profile["default-resources"] |= keys
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return folder


def test_a_site_names_its_partitions_and_gpu_in_one_place(planned, repository, tmp_path):
    keys = {"slurm_partition": "cpu", "extraction_partition": "gpu", "extraction_gpu_model": "a100"}
    jobs = plan(planned, profile=site(tmp_path, repository, slurm_account="lab", **keys))
    for (rule, _, _), asked in jobs.items():
        assert asked["slurm_account"] == "lab"
        assert asked["slurm_partition"] == ("gpu" if rule == "features" else "cpu")
        assert asked.get("gpu_model") == ("a100" if rule == "features" else None)


def test_a_job_that_looks_at_a_network_before_others_asks_for_a_gpu(planned, tmp_path):
    study = planned.copy(tmp_path / "study")
    study.config(lambda config: [one.update(precision="auto") for one in config["features"].values()])
    asked = {rule: resources["gpu"] for (rule, _, _), resources in plan(study).items() if "gpu" in resources}
    assert (asked["encoder"], asked["features"]) == ("1", "1")


def test_svms_that_torch_fits_ask_for_a_gpu_and_no_others(planned, repository, tmp_path):
    study = planned.copy(tmp_path / "study")
    ((name, own),) = study.config()["segmentation"]["methods"].items()
    methods = {name: {**own, "solver": "torch"}, "beside": own}
    study.config(lambda config: config["segmentation"].update(methods=methods))
    keys = {"slurm_partition": "cpu", "extraction_partition": "gpu", "extraction_gpu_model": "a100"}
    (tmp_path / "site").mkdir()
    dry = study.snakemake("--workflow-profile", site(tmp_path / "site", repository, **keys), "-n")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    found = re.findall(r"^rule patch_svm:.*?wildcards: method=([\w-]+), .*?resources: (.*?)$", dry.stdout, re.S | re.M)
    asked = {method: dict(part.split("=") for part in resources.split(", ")) for method, resources in found}
    assert asked.keys() == {name, "beside"}
    assert [asked[name][key] for key in ("gpu", "gpu_model", "slurm_partition")] == ["1", "a100", "gpu"]
    assert (asked["beside"]["gpu"], asked["beside"]["slurm_partition"]) == ("0", "cpu")
    assert "gpu_model" not in asked["beside"]


def test_a_cluster_without_gpus_is_asked_for_none(planned, repository, tmp_path):
    jobs = plan(planned, profile=site(tmp_path, repository, extraction_gpus=0))
    assert not any(int(asked.get("gpu", 0)) for asked in jobs.values())


def test_two_gpus_a_job_are_refused(planned, repository, tmp_path):
    profile = site(tmp_path, repository, extraction_gpus=2)
    done = planned.snakemake("--workflow-profile", profile, "-n")
    assert done.returncode != 0
    assert "a job uses one GPU" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_jobs_ask_for_reruns_nothing(finished):
    done = Study(finished.folder, finished.root).snakemake(
        "--workflow-profile", finished.root / "profiles/slurm", "-n", "--attempt", "2"
    )
    assert "Nothing to be done" in done.stdout + done.stderr


def test_both_profiles_agree_on_what_they_share(repository):
    local, cluster = (
        yaml.safe_load((repository / "profiles" / name / "config.yaml").read_text()) for name in ("default", "slurm")
    )
    shared = set(local) & set(cluster)
    assert shared == {"keep-going", "rerun-incomplete", "show-failed-logs", "rerun-triggers", "scheduler"}
    assert {key: local[key] for key in shared} == {key: cluster[key] for key in shared}
    assert cluster["retries"] >= 2
    assert "mem_mb" not in local["resources"]  # what bounds a cluster's jobs would serialise a workstation's

"""Several jobs in one submission, by Snakemake's groups, as docs/how-to/cluster.md has them."""

import shutil
from math import ceil

import pytest

from tests.slurm.conftest import SITE, accounted, apart, make_study

CHAINS = 3
ONE_CPU = ("--set-threads", "tiles=1")  # chains side by side, on a node of 4


def asked(row):
    """Return what a submission asks for: MB, CPUs, GPUs and minutes."""
    resources = dict(part.split("=") for part in row["ReqTRES"].split(","))
    mb, gpus = int(row["ReqMem"].removesuffix("M")), int(resources.get("gres/gpu", 0))
    return mb, int(resources["cpu"]), gpus, int(row["TimelimitRaw"])


def submissions(study, group):
    """Return what the accounting knows of a group: the comment is its name with those of the rules in it."""
    return [row for row in accounted(study) if row["Comment"].startswith(f"rule_{group}_")]


def manifests(study, kind):
    return len(list(study.folder.glob(f"results/{kind}/batch-*.tsv")))


@pytest.fixture(scope="module")
def tiled(site, tmp_path_factory):
    """A study of which only tiles and labels are made, a slide a job, three chains a submission."""
    study = make_study(tmp_path_factory.mktemp("studies") / "groups", site)
    groups = ("tiles=tiling", "labels=tiling")
    study.finish("--groups", *groups, "--group-components", f"tiling={CHAINS}", *ONE_CPU, "--until", "tiles", "labels")
    return study


def test_groups_make_fewer_submissions_than_jobs_and_the_same_bytes(tiled, undisturbed):
    jobs = {name: manifests(tiled, f"{name}/dense-96") for name in ("tiles", "labels")}
    assert min(jobs.values()) > CHAINS
    assert len(submissions(tiled, "tiling")) == ceil(jobs["tiles"] / CHAINS) < sum(jobs.values()) / 2
    assert len(accounted(tiled)) == len(submissions(tiled, "tiling"))  # none alone
    ours, theirs = (
        apart({name: content for name, content in study.results().items() if name.startswith(("tiles/", "labels/"))})
        for study in (tiled, undisturbed)
    )
    assert all(ours)
    assert ours == theirs


def test_groups_of_rules_late_in_a_study_take_its_finished_files(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path / "study")
    gone = [manifest.parent for manifest in study.folder.glob("results/segmentation/svm-cnn/*/batch-*.tsv")]
    assert len(gone) == 2
    for variant in set(gone):
        for name in ("confidence", "mask", "overlay", "score", "geojson"):
            shutil.rmtree(variant / name)
        for manifest in variant.glob("batch-*.tsv"):
            manifest.unlink()
    groups = ("segment=masks", "outlines=masks")
    study.finish("--groups", *groups, "--group-components", "masks=2", "--until", "outlines")
    assert len(submissions(study, "masks")) == len(accounted(study)) == 1  # of four jobs
    assert study.results() == undisturbed.results()


def test_a_submission_asks_for_the_memory_of_jobs_side_by_side_and_the_time_of_those_in_a_row(tiled):
    """Tiles and labels ask for some 1,500 MB and 32 minutes each; slides without a mask have no labels."""
    jobs_in_a_row = []
    for row in submissions(tiled, "tiling"):
        mb, cpus, gpus, minutes = asked(row)
        assert gpus == 0
        assert cpus in (CHAINS, CHAINS - 1)  # the last has what is left
        assert 1500 * cpus <= mb < 1600 * cpus
        jobs_in_a_row.append(2 if "labels" in row["Comment"] else 1)
        assert 30 * jobs_in_a_row[-1] <= minutes < 35 * jobs_in_a_row[-1]
    assert 2 in jobs_in_a_row


def test_chains_with_a_network_share_one_gpu_where_the_submission_is_bounded_to_one(site, undisturbed, tmp_path):
    study = make_study(tmp_path / "study", site)
    own = (site / "profiles/slurm/config.yaml").read_text()
    lines = [line for line in own.splitlines() if not line.endswith(f" {SITE['extraction_partition']}")]
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/config.yaml").write_text("\n".join(lines))
    study.profile = tmp_path / "profile"
    slides = ("gbm-1", "gbm-2", "lgg-1")
    pooled = sorted({study.manifest("pooled/dense-96", slide) for slide in slides})
    study.finish(
        *("--groups", "tiles=slides", "features=slides", "pooling=slides", "--group-components", "slides=3"),
        *("--resources", "gpu=1", "--set-resource-scopes", "gpu=local"),
        *ONE_CPU,
        *("--until", *pooled),
    )
    (row,) = submissions(study, "slides")
    mb, _, gpus, minutes = asked(row)
    assert gpus == 1
    assert mb < 7000  # of one job that runs a network
    assert minutes > 3 * 30  # and the time of three
    files = [f"results/pooled/dense-96/{slide}.h5" for slide in slides]
    assert [(study / path).read_bytes() for path in files] == [(undisturbed / path).read_bytes() for path in files]

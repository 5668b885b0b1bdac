"""A cluster for all tests of this folder, a clone set up for it as a site would, and mini studies to run."""

import shutil
import subprocess
from collections import Counter

import pytest

from tests.slurm.cluster import ACCOUNT, cluster, missing, run
from tests.workflow.conftest import ROOT, Study, make_mini, mini_config, segmentation_config

SITE = {"slurm_account": ACCOUNT, "slurm_partition": "cpu", "extraction_partition": "gpu"}
POLL = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10")


@pytest.fixture(scope="session", autouse=True)
def slurm():
    """A real SLURM, for as long as these tests run."""
    if why := missing():
        pytest.skip(why)
    with cluster():
        yield


@pytest.fixture(scope="session")
def site(slurm, tmp_path_factory):
    """A clone of which the one place for a site's settings was changed, and nothing else."""
    root = tmp_path_factory.mktemp("site") / "clone"
    root.mkdir()
    for name in ("src", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)
    profile = root / "profiles/slurm/config.yaml"
    lines = profile.read_text().splitlines()
    for key, value in SITE.items():
        (place,) = (i for i, line in enumerate(lines) if line.startswith(f"  # {key}:"))
        lines[place] = f"  {key}: {value}"
    profile.write_text("\n".join(lines) + "\n")
    return root


class SlurmStudy(Study):
    """A study that is run on the cluster."""

    def environment(self):
        return {**super().environment(), **self.variables}

    variables = {}

    def run_command(self, *arguments):
        return [*super().run_command(*arguments), "--profile", "slurm", *POLL]

    def start(self, *arguments):
        """Start a run, and return its process."""
        return subprocess.Popen(
            self.run_command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
        )

    def run(self, *arguments, timeout=550):
        return subprocess.run(
            self.run_command(*arguments), capture_output=True, text=True, env=self.environment(), timeout=timeout
        )


def both_tasks():
    """Return the config of a study with both tasks, as small as the recipe allows."""
    config, other = mini_config(), segmentation_config()
    del config["features"]["cnn-160"], config["classification"]["methods"]["svm-cnn"]
    config["features"] |= other["features"]
    return {**config, "segmentation": other["segmentation"]}


def make_study(folder, root, **options):
    study = make_mini(folder, config=both_tasks(), patients=3, size=500, **options)
    return SlurmStudy(study.folder, root)


FIELDS = ("JobIDRaw", "Comment", "State", "ReqMem", "TimelimitRaw", "Start", "End", "Submit", "ReqTRES", "AllocTRES")


def jobs(name=None):
    """Return what the accounting says of every job, or of those of a rule and its wildcards."""
    said = run("sacct", "-XnP", "--starttime", "now-1days", "--format", ",".join(f"{field}%200" for field in FIELDS))
    rows = [dict(zip(FIELDS, line.split("|"), strict=True)) for line in said.splitlines()]
    return [row for row in rows if name is None or row["Comment"].startswith(f"rule_{name}")]


def states(rows):
    return Counter(row["State"].split()[0] for row in rows)

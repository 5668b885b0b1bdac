"""A cluster for all tests of this folder, a clone set up for it as a site would, and mini studies to run there."""

import signal
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.slurm.cluster import ACCOUNT, cluster, missing, run
from tests.workflow.conftest import Study, copy_clone, make_mini, mini_config, segmentation_config, steady

SITE = {"slurm_account": ACCOUNT, "slurm_partition": "cpu", "extraction_partition": "gpu"}
SHARED = 6  # slides a job, where a study is run whole: a job's start is most of what it costs here
IMPATIENT = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10")


def pytest_collection_modifyitems(items):
    """Give these tests time: most of it goes by before the first of a file, in its run."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session", autouse=True)
def slurm():
    """A real SLURM, for as long as these tests run."""
    if why := missing():
        pytest.skip(why)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the cluster is taken down then too
    with cluster():
        yield


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A clone of which the one place for a site's settings was changed, and nothing else."""
    root = copy_clone(tmp_path_factory.mktemp("site") / "clone")
    profile = root / "profiles/slurm/config.yaml"
    lines = profile.read_text().splitlines()
    for key, value in SITE.items():
        (place,) = (i for i, line in enumerate(lines) if line.startswith(f"  # {key}:"))
        lines[place] = f"  {key}: {value}"
    profile.write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def undisturbed(site, tmp_path_factory):
    """The study of both tasks, run on this machine without SLURM. Copy it before you change it."""
    study = make_study(tmp_path_factory.mktemp("studies") / "local", site, slides_per_job=SHARED)
    done = Study(study.folder, site).run("--resources", "gpu=2", timeout=1500)
    assert done.returncode == 0, done.stdout + done.stderr
    return study


class SlurmStudy(Study):
    """A study that `make slurm` runs."""

    faults = None
    profile = "slurm"

    def environment(self):
        if not self.faults:
            return super().environment()
        path = f"{Path(__file__).with_name('faults')}:{super().environment()['PYTHONPATH']}"
        return {**super().environment(), "PYTHONPATH": path, "FAULTS": str(self.faults)}

    def run_command(self, *arguments):
        return [*super().run_command(*arguments), "--profile", self.profile, *IMPATIENT]

    def run(self, *arguments, timeout=1500):
        return subprocess.run(
            self.run_command(*arguments), capture_output=True, text=True, env=self.environment(), timeout=timeout
        )

    def fault(self, name, rule, output, deed):
        """Let a job do a deed (`faults/sitecustomize.py`)."""
        self.faults = self / "faults"
        self.faults.mkdir(exist_ok=True)
        (self.faults / f"{name}.todo").write_text(f"{rule} {output} {deed}")

    def held(self, name):
        """Return the SLURM id of the job that holds, or nothing yet."""
        found = [path.suffix[1:] for path in self.faults.glob(f"{name}.*") if path.suffix != ".todo"]
        return found[0] if found else None

    def results(self):
        """Return path to content of all that has to be the same however it came about."""
        top = self / "results"
        return {
            path.relative_to(top).as_posix(): steady(path)
            for path in sorted(top.rglob("*"))
            if path.is_file()
            and path.relative_to(top).parts[0] not in ("logs", "benchmarks", "report.html")
            # which tell how jobs went, and the checksum of a table that does
            and not path.name.endswith(".left")
            and path.name != ".comparison.tsv.sha256"
        }


def apart(results):
    """Return the files of results, and the rows of manifests by folder: the same however slides share jobs."""
    files, rows = {}, {}
    for name, content in results.items():
        folder, _, file = name.rpartition("/")
        if file.startswith("batch-"):
            rows.setdefault(folder, []).extend(content.splitlines()[1:])
        elif name != "study.yaml" and not file.startswith(".batch-"):  # of how many share a job
            files[name] = content
    return files, {folder: sorted(listed) for folder, listed in rows.items()}


def make_study(folder, root, slides_per_job=1):
    """Draw a study of both tasks, as small as the recipe allows, which share a feature set.

    Without hard examples: their rules differ from those of the plain variant by a wildcard, and not for SLURM.
    """
    config, other = mini_config(), segmentation_config()
    del other["segmentation"]["methods"]["svm-cnn"]["hard_examples"]
    config["features"] = other["features"]
    config["classification"]["methods"] = {
        "mean": {"features": ["dense-96"], "norm": [1], "keep": [20], "C": [1]},
    }
    config |= {"segmentation": other["segmentation"], "threads": 2, "slides_per_job": slides_per_job}
    return SlurmStudy(make_mini(folder, patients=3, config=config, size=500).folder, root)


FIELDS = ("JobIDRaw", "Comment", "WorkDir", "State", "Submit", "Start", "End", "TimelimitRaw")
FIELDS += ("ReqMem", "ReqTRES", "AllocTRES")


def accounted(study, comment=""):
    """Return what the accounting knows of a study's jobs in the order of their ids, of a rule if wished."""
    said = run("sacct", "-XnP", "--starttime", "now-1days", "--format", ",".join(FIELDS))
    rows = [dict(zip(FIELDS, line.split("|"), strict=True)) for line in said.splitlines()]
    return [row for row in rows if row["WorkDir"] == str(study.folder) and row["Comment"].endswith(comment)]


def alone_on_the_gpu(rows):
    """Return when each job held the one GPU, after a look that there was something to keep apart, and that it was."""
    held = sorted((row["Start"], row["End"]) for row in rows if "gres/gpu=" in row["AllocTRES"])
    assert [row for row in rows if "gres/gpu=" in row["AllocTRES"] and row["Submit"] < row["Start"]]
    assert all(end <= start for (_, end), (start, _) in pairwise(held))
    return held


def state(job):
    """Return a job's state, such as RUNNING."""
    return run("sacct", "-XnP", "-j", job, "--format", "State").partition(" ")[0]

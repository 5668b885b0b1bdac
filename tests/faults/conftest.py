"""A mini study over all rules of both tasks, what an undisturbed run of it gives, and a tmpfs that can be full."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.conftest import Study, made_once, make_mini, mini_config, segmentation_config, steady


def config():
    """Both tasks, every rule but the demo's, as few jobs as that takes."""
    both, other = mini_config(), segmentation_config()
    tiling, encoder = {"patch_size": 160, "stride": 160}, both["features"]["cnn-160"]["encoder"]
    methods = {
        "svm": {"features": ["cnn-160"], "norm": [3], "keep": [50], "C": [1]},
        "mcil": {"kind": "mcil", "features": "cnn-160", "clusters": 2, "rounds": 3, "threshold": 0},
    }
    return {
        "threads": 1,
        "features": {
            "cnn-160": {"tiling": tiling, "encoder": encoder},
            "dense-96": {**other["features"]["dense-96"], "store": "train"},
        },
        "classification": {**both["classification"], "methods": methods},
        "segmentation": other["segmentation"],
    }


HERE = Path(__file__).parent
OURS = ("logs", "benchmarks", "report.html")


class FaultyStudy(Study):
    """A study with all its results as bytes, but for what only tells how jobs went, and hidden files beside results."""

    def results(self):
        """Return the paths of all results: name in the folder of results to path."""
        top = self.folder / "results"
        places = {path.relative_to(top): path for path in sorted(top.rglob("*"))}
        return {
            place.as_posix(): path
            for place, path in places.items()
            if place.parts[0] not in OURS and not path.name.startswith(".") and path.is_file()
        }

    def bytes(self):
        return {name: steady(path) for name, path in self.results().items()}

    def run(self, *arguments, timeout=1200):
        return super().run(*arguments, timeout=timeout)

    def complete(self):
        """Make all that `bytes` returns, and so no report."""
        return self.finish("--omit-from", "report", "--resources", "gpu=2")

    def start(self, *arguments):
        """Start a run in a process group of its own."""
        return subprocess.Popen(
            self.run_command(*arguments, "--cores", "2", "--resources", "gpu=2"),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def fail(self, *arguments):
        """Run, expect that it fails, and return what it says."""
        failed = self.run(*arguments, "--resources", "gpu=2")
        said = failed.stdout + failed.stderr
        assert failed.returncode != 0, said
        return said


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """A study before its first run: copy it."""
    made = make_mini(tmp_path_factory.mktemp("studies") / "fresh", patients=3, config=config(), size=400)
    sheet = made / "classification.tsv"
    rows = sheet.read_text().splitlines(keepends=True)
    sheet.write_text("".join(row for row in rows if not row.startswith(("gbm-3\t", "lgg-3\t", "lgg-4\t"))))
    return FaultyStudy(made.folder)


@pytest.fixture(scope="session")
def undisturbed(fresh, tmp_path_factory, worker_id):
    """The same study after a run on two cores that nothing disturbed: copy it."""

    def make(folder):
        study = fresh.copy(folder)
        study.first_run = study.finish("--resources", "gpu=2")
        return study

    return made_once(make, "undisturbed", tmp_path_factory, worker_id, FaultyStudy)


@pytest.fixture
def study(undisturbed, tmp_path):
    """A copy of the finished study."""
    return undisturbed.copy(tmp_path / "study")


class SmallDisk:
    """A folder on a file system of its own that can be filled to the last byte."""

    def __init__(self, folder, size):
        self.folder, self._ballast = folder, folder / ".ballast"
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)

    def fill(self):
        with open(self._ballast, "ab", buffering=0) as ballast:
            for step in (2**20, 2**12):
                try:
                    while ballast.write(bytes(step)):
                        pass
                except OSError:
                    continue

    def empty(self):
        self._ballast.unlink()


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount needs a privileged user: {done.stderr.strip()}")


@pytest.fixture
def small_disk(study):
    """The results of a finished study, moved onto a disk that can be filled."""
    results = study / "results"
    results.rename(study / "kept")
    results.mkdir()
    disk = SmallDisk(results, "256m")
    shutil.copytree(study / "kept", results, dirs_exist_ok=True)
    yield disk
    subprocess.run(["umount", results], check=True)


@pytest.fixture
def read_only(study):
    """The results of a finished study, seen through a mount that takes no writes."""
    results = study / "results"
    mount("--bind", results, results)
    mount("-o", "remount,bind,ro", results)
    yield results
    subprocess.run(["umount", results], check=True)


def later(path, seconds):
    """Set a file's times so many seconds off."""
    stat = path.stat()
    os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("long")

"""Mini studies and the means to run them: a study that is finished once, and copies of it to change."""

import csv
import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf import demo
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.study.batches import deal_apart
from tests.workflow.plan import plan

SHOWN = {"methods", "thumbnails", "neurons", "evidence", "thresholds", "report"}
"""Rules that only show what others made: they follow every change, and nothing follows them."""

ROOT = Path(__file__).resolve().parents[2]


MEASURED = {"seconds", "memory_gib"}
"""Columns of a table of methods that differ from run to run."""


def steady(path):
    """Return the bytes of a result, without what was measured of the jobs that made it."""
    content = path.read_bytes()
    if path.name != "comparison.tsv":
        return content
    header, *rows = csv.reader(content.decode().splitlines(), delimiter="\t")
    kept = [place for place, column in enumerate(header) if column not in MEASURED]
    return "\n".join("\t".join(row[place] for place in kept) for row in (header, *rows)).encode()


class Study:
    """A study folder, and Snakemake on it as a user calls it."""

    def __init__(self, folder, root=ROOT):
        self.folder, self.root = Path(folder), root

    def __truediv__(self, path):
        return self.folder / path

    def environment(self):
        import os

        # the library beside the Snakefile, which may be a changed copy of the clone
        return {**os.environ, "PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def snakemake(self, *arguments, timeout=900):
        arguments = [*("-s", self.root / "Snakefile", "--directory", self.folder, "--nocolor"), *arguments]
        arguments = [str(argument) for argument in arguments]
        if "-n" in arguments:
            return plan(arguments, folder=self.root, environment=self.environment(), timeout=timeout)
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.root,
            timeout=timeout,
        )

    def run_command(self, *arguments):
        """Return what `make run STUDY=...` calls."""
        return [sys.executable, "-m", "slidecaf.cli", "run", str(self.folder), *arguments]

    def run(self, *arguments, timeout=900):
        return subprocess.run(
            self.run_command("--cores", "2", *arguments),
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=timeout,
        )

    def finish(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def judge(self, *arguments):
        """Make all but what only shows what others made."""
        return self.finish("--omit-from", *sorted(SHOWN), *arguments)

    def planned(self, *, shown=False):
        """Return how many jobs of each rule a run would do; of those that only show results where asked for."""
        dry = self.snakemake("-n")
        assert dry.returncode == 0, dry.stdout + dry.stderr
        stats = re.search(r"Job stats:\n.*?\n-+ +-+\n(.*?)\ntotal", dry.stdout, re.DOTALL)
        jobs = dict(line.split() for line in stats[1].splitlines()) if stats else {}
        return Counter(
            {rule: int(count) for rule, count in jobs.items() if rule != "all" and (shown or rule not in SHOWN)}
        )

    def planned_slides(self, rule):
        """Return the slides for whose batches a run would do a rule."""
        dry = self.snakemake("-n")
        numbers = re.findall(rf"^rule {rule}:$.*?batch=(\d+)$", dry.stdout, re.DOTALL | re.MULTILINE)
        return sorted(slide for number in numbers for slide in self.batches()[int(number)])

    def batches(self):
        """Return the slides of each batch, as the workflow deals them."""
        config, splits = self.config(), {}
        for task in ("classification", "segmentation"):
            if task in config:
                with open(self.folder / config[task]["sheet"], newline="") as file:
                    for row in csv.DictReader(file, delimiter="\t"):
                        splits.setdefault(row["slide"], set()).add(row["split"])
        training = [slide for slide, own in splits.items() if "train" in own]
        return deal_apart(training, splits, config.get("slides_per_job", 16))

    def batch_of(self, slide):
        """Return the number of the batch that a slide is in."""
        return next(number for number, slides in self.batches().items() if slide in slides)

    def manifest(self, folder, slide):
        """Return the manifest of a slide's batch in a folder of results."""
        return f"results/{folder}/batch-{self.batch_of(slide)}.tsv"

    def log(self, folder, slide):
        """Return what the job of a slide's batch says, such as of ``tiles/cnn-224``."""
        return (self.folder / f"results/logs/{folder}/batch-{self.batch_of(slide)}.log").read_text()

    def config(self, change=None):
        path = self.folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        if change:
            change(config)
            path.write_text(yaml.safe_dump(config, sort_keys=False))
        return config

    def sheet(self, change):
        path = self.folder / "classification.tsv"
        path.write_text(change(path.read_text()))

    def bytes(self, *folders):
        """Return path to content of every result; hidden files that lie beside them follow from these."""
        found = {}
        for folder in folders or ("tiles", "encoders", "features", "pooled", "classification", "study.yaml"):
            top = self.folder / "results" / folder
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    found[path.relative_to(self.folder).as_posix()] = steady(path)
        return found

    def copy(self, folder):
        """Copy the study, times kept, as `cp -a` does."""
        shutil.copytree(self.folder, folder)
        return type(self)(folder, self.root)


def accepted(study):
    """Hold a finished study against the acceptance check, and return whether that is there."""
    check = ROOT.parent / "shared/acceptance/check.py"
    if check.is_file():
        done = subprocess.run([sys.executable, str(check), str(study.folder)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return check.is_file()


ACCEPTANCE_ABSENT = "the acceptance check is absent: there is no ../shared/acceptance beside the clone"


def mini_config():
    """Two feature sets that a CPU computes in no time, of which the inner cross-validation chooses one."""
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
    return {
        "threads": 1,
        "features": {
            "cnn-224": {"tiling": {"patch_size": 224, "overlap": 0.25, "white_above": 200}, "encoder": encoder},
            "cnn-160": {"tiling": {"patch_size": 160, "stride": 160}, "encoder": encoder},
        },
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "folds": 2,
            "methods": {
                "svm-cnn": {"features": ["cnn-224", "cnn-160"], "norm": [3, "inf"], "keep": [20, 50], "C": [0.01, 1]},
                "mean": {"features": ["cnn-224"], "norm": [1], "keep": [20], "C": [1]},
            },
        },
    }


def segmentation_config():
    """One feature set and method of the segmentation, as small as the recipe allows."""
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
    method = {
        "features": "dense-96",
        "training_stride": 48,
        "inner_folds": 2,
        "C": [0.0001, 0.01],
        "min_object": [0, 1000],
        "hard_examples": {"copies": 2, "stride": 24},
    }
    return {
        "threads": 1,
        "features": {
            "dense-96": {
                "tiling": {"patch_size": 96, "stride": 24, "edge": "cover"},
                "encoder": encoder,
                "extraction": "dense",
            }
        },
        "segmentation": {"sheet": "segmentation.tsv", "methods": {"svm-cnn": method}},
    }


def make_mini(folder, patients=4, config=None, **options):
    demo.make_mini(folder, patients=patients, **options)
    (Path(folder) / "config.yaml").write_text(yaml.safe_dump(config or mini_config(), sort_keys=False))
    return Study(folder)


def make_classified(folder):
    """Make and run a mini study of the classification."""
    study = make_mini(folder)
    study.first_run = study.finish("--resources", "gpu=2")
    return study


def make_segmented(folder):
    """Make and run a mini study of the segmentation; its test row has no mask."""
    study = make_mini(folder, patients=3, config=segmentation_config(), size=500)
    sheet = study / "segmentation.tsv"
    sheet.write_text(sheet.read_text().replace("masks/gbm-4.png", ""))
    study.first_run = study.finish("--resources", "gpu=2")
    return study


FOLDS = {f"{kind}-{k}": (k - 1) // 2 for kind in ("gbm", "lgg") for k in range(1, 5)}
"""Of the training slides of `make_boosted` and `make_trained`."""


def boosted_config():
    """MCIL beside an SVM, on one feature set: no network's, whose last bits are the machine's and grow in boosting."""
    config = mini_config()
    tiling = {"patch_size": 160, "stride": 160, "white_above": 200}
    config["features"] = {"manual-160": {"kind": "manual", "tiling": tiling}}
    config["classification"]["methods"] = {
        "svm-mf": {"features": ["manual-160"], "keep": [20], "C": [1]},
        "mcil": {"kind": "mcil", "features": "manual-160", "clusters": 2, "rounds": 4, "threshold": 0},
    }
    return config


def make_boosted(folder):
    """Make and run a mini study of MCIL; its sheet fixes the folds, and lgg-4 is glass."""
    study = make_mini(folder, config=boosted_config(), size=400)
    Image.fromarray(np.full((400, 400, 3), 240, np.uint8)).save(study / "slides/lgg-4.png")
    fix_folds(study)
    study.first_run = study.finish("--resources", "gpu=2")
    return study


def fix_folds(study, folds=FOLDS):
    """Write folds of training slides into the sheet."""
    write_sheet(study, [{**row, "fold": str(folds.get(row["slide"], ""))} for row in read_sheet(study)])


def turn_labels(study, fold="0"):
    """Give the slides of a fold that the sheet fixes the other label; return their rows."""
    rows = read_sheet(study)
    held_out = [row for row in rows if row["fold"] == fold]
    assert len({row["label"] for row in held_out}) == 2
    for row in held_out:
        row["label"] = {"GBM": "LGG", "LGG": "GBM"}[row["label"]]
    write_sheet(study, rows)
    return held_out


def read_sheet(study):
    return read_tsv(study / "classification.tsv")


def write_sheet(study, rows):
    write_tsv(study / "classification.tsv", list(rows[0]), rows, checked=False)


def trained_config():
    """A tiny network, alone: the feature set is not used."""
    config = boosted_config()
    # So that values are those of other machines too: adamw's first steps are as long for gradients near 0, whose sign
    # may be another one there, and batch normalisation blows differences up before its means have settled.
    settings = {"architecture": "squeezenet1_1", "input_size": 32, "epochs": 2, "batch_size": 4, "validation": 2}
    settings |= {"optimiser": "sgd", "learning_rate": [0.001]}
    config["classification"]["methods"] = {"cnn": {"kind": "network", **settings}}
    return config


def make_trained(folder):
    """Make and run a mini study of a network trained here; its sheet fixes the folds."""
    study = make_mini(folder, config=trained_config(), size=160)
    fix_folds(study)
    study.first_run = study.finish("--resources", "gpu=2")
    return study


def encoded_config():
    """Two methods on Fisher vectors of patches, of which one chooses among encodings."""
    config = mini_config()
    encoder = config["features"]["cnn-224"]["encoder"]
    config["features"] = {"cnn-96": {"tiling": {"patch_size": 96, "stride": 48}, "encoder": encoder}}
    fisher = {"components": [2], "kind": ["ifv", "ffv", "vlad"], "pca": [4]}
    config["classification"]["methods"] = {
        "fisher": {"features": ["cnn-96"], "fisher": fisher, "keep": ["all"], "C": [0.1, 1]},
        "foreground": {"features": ["cnn-96"], "fisher": {**fisher, "kind": "ffv"}, "keep": ["all"], "C": [1]},
    }
    return config


def make_encoded(folder):
    """Make and run a mini study of Fisher vectors; its sheet fixes the folds, and gbm-1 has a mask."""
    study = make_mini(folder, patients=6, config=encoded_config())
    fix_folds(study, {f"{kind}-{k}": k % 2 for kind in ("gbm", "lgg") for k in range(1, 7)})
    with Image.open(study / "slides/gbm-1.png") as slide:
        mask = np.zeros(slide.size[::-1], np.uint8)
    mask[: len(mask) // 2] = 255
    Image.fromarray(mask).save(study / "mask.png")
    header, *rows = (study / "classification.tsv").read_text().splitlines()
    lines = [row + ("\tmask.png" if row.startswith("gbm-1\t") else "\t") for row in rows]
    (study / "classification.tsv").write_text("\n".join([f"{header}\tmask", *lines]) + "\n")
    study.first_run = study.finish("--resources", "gpu=2")
    return study


def made_once(make, name, tmp_path_factory, worker_id, kind=Study):
    """Make a study, or wait for the process beside this one that makes it, and say what its run said."""
    top = tmp_path_factory.getbasetemp()
    folder = (top if worker_id == "master" else top.parent) / name
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "said.json").is_file():
            run = make(folder / "study").first_run
            (folder / "said.json").write_text(json.dumps([run.stdout, run.stderr]))
    study = kind(folder / "study")
    study.said = "".join(json.loads((folder / "said.json").read_text()))
    return study


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A mini study that has been run. Copy it before you change it."""
    return made_once(make_classified, "finished", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def segmented(tmp_path_factory, worker_id):
    """A mini study of the segmentation that has been run. Copy it before you change it."""
    return made_once(make_segmented, "segmented", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def boosted(tmp_path_factory, worker_id):
    """A mini study of MCIL that has been run. Copy it before you change it."""
    return made_once(make_boosted, "boosted", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, worker_id):
    """A mini study of a network trained here that has been run. Copy it before you change it."""
    return made_once(make_trained, "trained", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, worker_id):
    """A mini study of Fisher vectors that has been run. Copy it before you change it."""
    return made_once(make_encoded, "encoded", tmp_path_factory, worker_id)


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished mini study."""
    return finished.copy(tmp_path / "study")


def copy_clone(root):
    """Copy the clone, so that its code may be changed, with what Python compiled of it: changed files are newer."""
    root.mkdir()
    for name in ("src", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "Snakefile", root)
    return root


@pytest.fixture
def clone(tmp_path):
    """A copy of the clone whose code may be changed."""
    return copy_clone(tmp_path / "clone")

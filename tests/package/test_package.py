"""slidecaf without its clone: as an installed package, and as a module of somebody else's workflow."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.workflow.conftest import Study, copy_clone, make_mini, mini_config

pytestmark = pytest.mark.long


def small_config():
    """One feature set and one method: as few jobs as go through all rules of the classification."""
    config = mini_config()
    config["features"].pop("cnn-160")
    config["classification"]["methods"].pop("svm-cnn")
    return config


def run(*command, folder, path):
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=400,
    )


@pytest.fixture(scope="module")
def installed(repository, tmp_path_factory):
    """A folder into which the wheel was installed, far from the clone."""
    folder = tmp_path_factory.mktemp("installed")
    pip = ("pip", "--disable-pip-version-check", "--quiet")
    made = run(
        *pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, repository, folder=folder, path=""
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = folder.glob("*.whl")
    done = run(*pip, "install", "--no-deps", "--target", folder / "site", wheel, folder=folder, path="")
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def by_the_package(installed, tmp_path_factory):
    """A study run by the package alone."""
    study = make_mini(tmp_path_factory.mktemp("studies") / "package", patients=2, config=small_config(), size=300)
    done = run("slidecaf.cli", "run", study.folder, "--cores", "2", folder=study.folder.parent, path=installed)
    assert done.returncode == 0, done.stdout + done.stderr
    return study


def test_the_package_runs_a_study_in_which_the_clone_finds_nothing_to_do(by_the_package):
    assert (by_the_package / "results/report.html").is_file()
    assert not by_the_package.planned(shown=True)  # nothing depends on where either is


def test_the_package_has_what_init_and_check_need(installed, tmp_path):
    slides = make_mini(tmp_path / "drawn", patients=1, size=200) / "slides"
    made = run("slidecaf.cli", "init", "new", "--slides", slides, folder=tmp_path, path=installed)
    assert made.returncode == 0, made.stderr
    checked = run("slidecaf.cli", "check", "new", "--quick", folder=tmp_path, path=installed)
    assert checked.returncode == 1
    assert "row 2, column patient: an empty cell will not do." in checked.stdout + checked.stderr


OUTER = """
configfile: "outer.yaml"


module slidecaf:
    snakefile:
        "{snakefile}"
    config:
        config["slidecaf"]


use rule * from slidecaf as slidecaf_*


rule all:
    default_target: True
    input:
        rules.slidecaf_all.input,
"""
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input", "software-env")


class Outer(Study):
    """A study that is part of another workflow, which has a config of its own."""

    def write(self, root):
        (self / "config.yaml").write_text("somebody: else\n")
        (self / "outer.yaml").write_text(yaml.safe_dump({"own": 1, "slidecaf": small_config()}))
        (self / "Snakefile").write_text(OUTER.format(snakefile=root / "Snakefile"))

    def outer(self, *arguments):
        return run(
            *("snakemake", "--cores", "2", "--nocolor", *TRIGGERS, *arguments),
            folder=self.folder,
            path=self.root / "src",
        )


def test_as_a_module_of_another_workflow_it_takes_that_ones_config_alone(by_the_package, repository, tmp_path):
    outer = Outer(make_mini(tmp_path / "study", patients=2, size=300).folder)
    outer.write(repository)
    done = outer.outer("--until", "slidecaf_pooling", "slidecaf_folds")
    assert done.returncode == 0, done.stderr
    same = "tiles", "features", "pooled"
    assert outer.bytes(*same) == by_the_package.bytes(*same)  # the clone's library gives the package's files
    # from another place, as after an update of the module, there is nothing to do
    outer.root = copy_clone(tmp_path / "elsewhere")
    outer.write(outer.root)
    again = outer.outer("-n", "--until", "slidecaf_pooling", "slidecaf_folds")
    assert again.returncode == 0, again.stderr
    assert re.search(r"^total +0$", again.stdout + again.stderr, re.MULTILINE), again.stdout + again.stderr


def test_a_library_of_another_version_is_said_in_a_sentence(repository, tmp_path):
    root = copy_clone(tmp_path / "clone")
    common = root / "workflow/rules/common.smk"
    common.write_text(common.read_text().replace('VERSION = "', 'VERSION = "99.'))
    study = make_mini(tmp_path / "study", patients=1, size=200, config=small_config())
    done = run("snakemake", "-s", root / "Snakefile", "-n", folder=study.folder, path=repository / "src")
    assert done.returncode == 1
    assert "this workflow is of slidecaf 99." in done.stderr
    assert "Traceback" not in done.stderr


def test_workflow_and_package_have_one_version(repository):
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert f'VERSION = "{version}"' in (repository / "workflow/rules/common.smk").read_text()

"""What a process inherits is made to work, or refused with what to do."""

import os
import shutil
import site
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.running import environment
from slidecaf.running.environment import PACKAGE, check_installation, check_packages, check_workflow, use_caches


def say(*words, **inherited):
    """Call slidecaf as a user does, with further environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "slidecaf.cli", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **inherited},
        timeout=60,
    )


@pytest.fixture
def foreign(tmp_path):
    """A folder of packages as the module of another Python brings them: importing them fails."""
    for name in ("numpy/__init__.py", "yaml.py"):
        (tmp_path / "foreign" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "foreign" / name).write_text("raise ImportError('made for another Python')")
    return tmp_path / "foreign"


@pytest.mark.parametrize("command", ["run", "check", "view", "clean"])
def test_a_foreign_package_by_pythonpath_is_named_before_it_is_imported(tmp_path, foreign, command):
    done = say(command, tmp_path, PYTHONPATH=os.pathsep.join([str(PACKAGE.parent), str(foreign)]))
    assert done.returncode == 1
    assert done.stderr == (
        f"{foreign}/numpy/__init__.py stands before the package numpy that slidecaf is installed with, by PYTHONPATH; "
        f"take {foreign} out of it, or unset PYTHONPATH, and run again.\n"
    )


def test_packages_that_come_by_pythonpath_alone_are_nobodys_rivals(tmp_path, foreign, monkeypatch):
    """Some clusters install all packages so, each in a folder of its own."""
    own = tmp_path / "own"
    (own / "scipy").mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", f"{foreign}{os.pathsep}{own}")
    monkeypatch.setattr(sys, "path", [str(foreign), str(own), *sys.path])
    check_packages(own)
    (own / "yaml.py").touch()
    with pytest.raises(SlidecafError, match=r"yaml\.py stands before the package yaml"):
        check_packages(own)
    monkeypatch.setattr(sys, "path", [str(own), str(foreign)])  # behind ours, where it is never found
    check_packages(own)


def test_a_package_of_the_users_own_folder_is_named_with_how_to_leave_it_out(foreign, monkeypatch, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "yaml.py").touch()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(foreign))
    monkeypatch.setattr(sys, "path", [str(foreign), str(own)])
    with pytest.raises(SlidecafError, match=r"by your own packages; export PYTHONNOUSERSITE=1 and run again"):
        check_packages(own)


def test_a_module_that_hides_one_of_pythons_own_is_named(tmp_path, monkeypatch):
    (tmp_path / "typing.py").touch()
    (tmp_path / "tests.py").touch()  # no package of anybody's
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(SlidecafError, match=r"typing\.py stands before"):
        check_packages()


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Two clones, the second of which was copied with its environment."""
    for name in ("first", "second"):
        (tmp_path / name / "src/slidecaf").mkdir(parents=True)
        (tmp_path / name / "src/slidecaf/__init__.py").touch()
        (tmp_path / name / ".venv/bin").mkdir(parents=True)
        (tmp_path / name / ".venv/pyvenv.cfg").touch()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def test_an_environment_copied_with_its_clone_is_refused(copied):
    """Its scripts name the first clone's Python, and its Python the first clone's library."""
    first, second, package = copied / "first/.venv", copied / "second/.venv", copied / "first/src/slidecaf"
    check_installation(first / "bin/slidecaf", prefix=first, package=package)
    with pytest.raises(SlidecafError, match=rf"{second} was copied or moved here and runs {first}; delete it"):
        check_installation(second / "bin/slidecaf", prefix=first, package=package)
    with pytest.raises(SlidecafError, match=rf"{second} was copied .* runs the library in {package}; .*make install"):
        check_installation(PACKAGE / "cli.py", prefix=second, package=package)


def test_a_library_asked_for_by_pythonpath_is_meant(copied, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(copied / "second/src"))
    check_installation(PACKAGE / "cli.py", prefix=copied / "first/.venv", package=copied / "second/src/slidecaf")


def test_a_workflow_beside_another_library_is_refused_where_the_two_differ(copied):
    package = copied / "first/src/slidecaf"
    check_workflow(copied / "first", package)
    check_workflow(copied / "second", package)  # equal
    check_workflow(copied, package)  # as in an installed package: no library beside it
    (copied / "second/src/slidecaf/changed.py").touch()
    with pytest.raises(SlidecafError, match=rf"workflow in {copied}/second would run with the library in {package}"):
        check_workflow(copied / "second", package)


@pytest.mark.parametrize("target", ["run", "view"])
def test_make_refuses_an_environment_that_was_made_elsewhere(tmp_path, repository, target):
    shutil.copy(repository / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    for place, refused in (("/another/clone", True), (os.path.realpath(tmp_path), False), ("", False)):
        (tmp_path / ".venv/installed").write_text(f"{place}\n")
        done = subprocess.run(["make", "--dry-run", target], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ("was made for the clone in /another/clone" in done.stderr) == refused


def test_a_folder_for_temporary_files_that_cannot_be_used_is_said(tmp_path, monkeypatch):
    done = say("init", tmp_path / "study", TMPDIR=str(tmp_path / "absent"))
    assert done.returncode == 0
    assert f"TMPDIR, {tmp_path}/absent, cannot be written to; temporary files go to /" in done.stderr

    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(SlidecafError, match=r"No usable temporary directory found .*; set TMPDIR to a folder"):
        environment.check_temporary()


@pytest.mark.parametrize("home", ["/proc/nope", "/dev/null", "relative"])
def test_without_a_home_caches_go_to_the_study(tmp_path, monkeypatch, capsys, home):
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", home)
    use_caches(tmp_path / "cache")
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    assert f"cannot be written to; caches go to {tmp_path}/cache" in capsys.readouterr().err


def test_with_a_home_caches_stay_the_users(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    use_caches(tmp_path / "study/cache")
    assert "XDG_CACHE_HOME" not in os.environ
    assert not (tmp_path / "study").exists()
    assert not capsys.readouterr().err


def test_init_needs_no_home(tmp_path):
    done = say("init", tmp_path / "study", HOME="/proc/nope")
    assert (done.returncode, Path(tmp_path / "study/config.yaml").is_file()) == (0, True)

"""An installation that was cut off is begun anew, and completes."""

import os
import shutil
import signal
import subprocess
import time
from zipfile import ZipFile

import pytest

RUN = "def main():\n    import probe; print('ran', probe.WORD)\n"
PARTS = 1000
BACKEND = """
from zipfile import ZipFile
def get_requires_for_build_editable(config_settings=None): return []
def build_editable(folder, config_settings=None, metadata_directory=None):
    with ZipFile(f"{folder}/own-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        wheel.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-1.dist-info/entry_points.txt", "[console_scripts]\\nslidecaf = own:main\\n")
        wheel.writestr("own-1.dist-info/RECORD", "")
        wheel.write("own.py")
    return "own-1-py3-none-any.whl"
"""
# where it is killed: a file that is there by then
MOMENTS = {
    "while the environment is made": ".venv/pyvenv.cfg",
    "while packages are installed": ".venv/installing",
    "half-way into a package": ".venv/lib/python*/site-packages/probe/part0.py",
}


@pytest.fixture
def clone(repository, tmp_path):
    """The Makefile, with a package that takes pip a while; nothing of it needs a network."""
    shutil.copy(repository / "Makefile", tmp_path)
    with ZipFile(tmp_path / "probe-1-py3-none-any.whl", "w") as wheel:
        # first what pip takes for proof that a package is there
        wheel.writestr("probe-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1\n")
        wheel.writestr("probe-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        for number in range(PARTS):
            wheel.writestr(f"probe/part{number}.py", f"NUMBER = {number}\n")
        wheel.writestr("probe/__init__.py", "WORD = 'whole'\n")
        wheel.writestr("probe-1.dist-info/RECORD", "")
    (tmp_path / "requirements.txt").write_text("./probe-1-py3-none-any.whl\n")
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "own"\nversion = "1"\n'
    )
    (tmp_path / "own.py").write_text(RUN)
    return tmp_path


def test_an_installation_that_is_killed_is_completed_by_the_next_run(clone, promise):
    command = ["make", "run"]
    for place in MOMENTS.values():
        shutil.rmtree(clone / ".venv", ignore_errors=True)
        run = subprocess.Popen(command, cwd=clone, start_new_session=True, stdout=subprocess.DEVNULL)
        while not list(clone.glob(place)):
            assert run.poll() is None, f"{place} was never there"
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert not (clone / ".venv/installed").exists()
        again = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=300)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "ran whole" in again.stdout
        installed = list(clone.glob(".venv/lib/python*/site-packages/probe/part*.py"))
        assert len(installed) == PARTS
    third = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=300)
    assert "installing" not in third.stdout
    promise("make run killed during the installation is completed by the next make run", provoked=len(MOMENTS))

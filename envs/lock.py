"""Write the lock, requirements.txt, from pyproject.toml, and envs/slidecaf.yaml from the lock.

What is locked stays as it is where pyproject.toml allows it; name packages to take their newest version instead:

    .venv/bin/python envs/lock.py [PACKAGE ...]
    .venv/bin/python envs/lock.py --check     # that the three agree, without a network
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK, ENVIRONMENT = ROOT / "requirements.txt", ROOT / "envs" / "slidecaf.yaml"
HEADER = """\
# One version of every package that slidecaf runs with, tests and checks included, with the hashes of its files.
# Written by envs/lock.py from pyproject.toml, which says why each direct one is there.
"""


def main(arguments: list[str]) -> int:
    """Write both files, or say where they differ."""
    if arguments == ["--check"]:
        wrong = [*_unsatisfied()]
        if ENVIRONMENT.read_text() != _environment():
            wrong.append("envs/slidecaf.yaml is not of requirements.txt; run envs/lock.py")
        print("\n".join(wrong) or f"{len(locked())} locked packages agree")
        return bool(wrong)
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11.5", "--all-extras"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += [word for name in arguments for word in ("--upgrade-package", name)]
    subprocess.run([*command, "--output-file", str(LOCK), "pyproject.toml"], cwd=ROOT, check=True)
    LOCK.write_text(HEADER + "".join(line for line in LOCK.open() if not line.startswith("#")))
    ENVIRONMENT.write_text(_environment())
    return 0


def locked() -> dict[str, str]:
    """Return package to version, of the lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))


def _direct(*, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values() if extras else ():
        listed += extra
    return [Requirement(text) for text in listed]


def _unsatisfied():
    versions = locked()
    for wanted in _direct(extras=True):
        version = versions.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version):
            yield f"{wanted} in pyproject.toml, {version or 'nothing'} in requirements.txt; run envs/lock.py"


def _environment():
    """Return the conda environment of a rule: what slidecaf itself needs, but for Snakemake."""
    names = [canonicalize_name(wanted.name) for wanted in _direct(extras=False)]
    pins = [f"      - {name}=={locked()[name]}" for name in names if name != "snakemake"]
    return "\n".join(
        [
            "# What each rule runs in, for --software-deployment-method conda. Written by envs/lock.py.",
            "name: slidecaf",
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            "  - python=3.11",
            "  - pip",
            "  - pip:",
            *pins,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

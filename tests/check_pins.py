"""Hold the pins of pyproject.toml, requirements.txt and envs/ against each other; exit 1 where they differ."""

import re
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def pins(lines):
    """Return package to version for lines such as ``name==1.2``, comments and markers aside."""
    found = {}
    for line in lines:
        line = line.split("#")[0].split(";")[0].strip()
        if line:
            name, _, version = line.partition("==")
            found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def main():
    """Print what differs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run = pins(project["dependencies"])
    direct = run | pins(line for extra in project["optional-dependencies"].values() for line in extra)
    lock = pins((ROOT / "requirements.txt").read_text().splitlines())
    conda = yaml.safe_load((ROOT / "envs" / "slidecaf.yaml").read_text())["dependencies"]
    environment = pins(next(entry["pip"] for entry in conda if isinstance(entry, dict)))
    wrong = [f"{name}: no version in requirements.txt" for name, version in lock.items() if not version]
    for place, wanted in (("pyproject.toml", direct), ("envs/slidecaf.yaml", environment)):
        wrong += [
            f"{name}: {version or 'no version'} in {place}, {lock.get(name, 'nothing')} in requirements.txt"
            for name, version in wanted.items()
            if not version or lock.get(name) != version
        ]
    wrong += [f"{name}: not in envs/slidecaf.yaml" for name in run if name not in environment and name != "snakemake"]
    print("\n".join(wrong) or f"{len(lock)} pins agree")
    return bool(wrong)


sys.exit(main())

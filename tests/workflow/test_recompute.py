"""The script for reviewers, which knows nothing of slidecaf, finds a study's numbers again, and a changed one not."""

import subprocess
import sys

import pytest

from slidecaf.files.tables import read_tsv, write_tsv


def recompute(repository, study):
    command = [sys.executable, str(repository / "docs/examples/recompute.py"), str(study.folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_plain_script_finds_the_numbers_again(finished, repository):
    done = recompute(repository, finished)
    assert done.returncode == 0, done.stderr
    for said in ("Brier score", "log loss", "accuracy by patient", "heat maps of 10 slides add up"):
        assert said in done.stdout
    lines = (repository / "docs/examples/recompute.py").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("import slidecaf", "from slidecaf"))]


@pytest.mark.parametrize("column", ["confidence", "probability", "label"])
def test_a_number_that_was_changed_is_found(finished, repository, tmp_path, column):
    study = finished.copy(tmp_path / "study")
    path = study / "results/classification/mean/predictions.tsv"
    rows = read_tsv(path)
    if column == "label":
        rows[0]["label"] = {"GBM": "LGG", "LGG": "GBM"}[rows[0]["label"]]
    else:
        rows[0][column] = str(float(rows[0][column]) + 0.01)
    write_tsv(path, list(rows[0]), rows)
    assert recompute(repository, study).returncode == 1

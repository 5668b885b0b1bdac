"""The config as used is a config itself; what else it says stands in comments."""

import yaml

from slidecaf.files.tables import write_json
from slidecaf.files.versions import version
from slidecaf.study.provenance import renew_code, write_study

STUDY = {"results": "results", "seed": 0, "features": {"cnn-336": {"encoder": {"weights": "random:0"}}}, "note": "é"}


def write(path, code="abc"):
    encoder = path.parent / "cnn-336.json"
    write_json(encoder, {"weights_sha256": "0123"})
    write_study(path, STUDY, code=code, encoders=[encoder])
    return path.read_text(encoding="utf-8")


def test_a_study_reads_back_with_version_code_and_weights_in_comments(tmp_path):
    text = write(tmp_path / "study.yaml")
    assert write(tmp_path / "again.yaml") == text
    assert yaml.safe_load(text) == STUDY
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == [
        f"# as run by slidecaf {version()}, defaults filled in",
        "# code: abc",
        "# weights of cnn-336: sha256 0123",
    ]


def test_other_code_changes_its_line_only(tmp_path):
    path = tmp_path / "study.yaml"
    renew_code(path, "def")
    assert not path.exists()
    text = write(path)
    renew_code(path, "def")
    assert path.read_text(encoding="utf-8") == text.replace("# code: abc", "# code: def")
    before = path.stat().st_ino
    renew_code(path, "def")
    assert path.stat().st_ino == before  # nothing to write

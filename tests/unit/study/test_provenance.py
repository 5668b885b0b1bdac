"""The config as used is a config itself; what else it says stands in comments."""

import yaml

from slidecaf.files.tables import write_json
from slidecaf.files.versions import version
from slidecaf.study.provenance import write_study

STUDY = {"results": "results", "seed": 0, "features": {"cnn-336": {"encoder": {"weights": "random:0"}}}, "note": "é"}


REVISION = {"tiles": 3, "segmentation.solver": 1}


def write(path, revision=REVISION):
    encoder = path.parent / "cnn-336.json"
    write_json(encoder, {"weights_sha256": "0123"})
    write_study(path, STUDY, revision=revision, encoders=[encoder])
    return path.read_text(encoding="utf-8")


def test_a_study_reads_back_with_version_revisions_and_weights_in_comments(tmp_path):
    text = write(tmp_path / "study.yaml")
    assert write(tmp_path / "again.yaml") == text
    assert yaml.safe_load(text) == STUDY
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == [
        f"# as run by slidecaf {version()}, defaults filled in",
        "# revisions: segmentation.solver 1, tiles 3",
        "# weights of cnn-336: sha256 0123",
    ]


def test_another_revision_changes_its_line_only(tmp_path):
    text = write(tmp_path / "study.yaml")
    changed = write(tmp_path / "study.yaml", revision={**REVISION, "tiles": 4})
    assert changed == text.replace("tiles 3", "tiles 4")

"""``study.yaml`` is the config as used, and a config itself."""

import pytest
import yaml

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import write_json
from slidecaf.files.versions import version
from slidecaf.study.config import check_config, load_config
from slidecaf.study.provenance import read_study, write_study


def test_a_studys_file_holds_every_default_and_is_the_same_config(repository, tmp_path):
    config = check_config(yaml.safe_load((repository / "config.yaml").read_text()), folder=repository)
    path = tmp_path / "study.yaml"
    write_json(tmp_path / "cnn-336.json", {"weights_sha256": "ab"})
    write_study(path, config.plain(), revision={"tiles": 3, "slides": 1}, encoders=[tmp_path / "cnn-336.json"])
    assert load_config(path) == read_study(path) == config
    text = path.read_text()
    assert "# revisions: slides 1, tiles 3\n" in text
    assert text.startswith(f"# as run by slidecaf {version()}, defaults filled in\n")
    assert "# weights of cnn-336: sha256 ab\n" in text
    assert "\n      white_above: null\n" in text  # a default that the demo leaves out


def test_a_file_of_another_version_says_to_run_again(tmp_path):
    (tmp_path / "study.yaml").write_text("results: results\nfeatures: {a: {imported: {format: clam, folder: f}}}\n")
    with pytest.raises(SlidecafError, match="was written by another version of slidecaf; run the study again"):
        read_study(tmp_path / "study.yaml")

"""``study.yaml`` is the config as used, and a config itself."""

import yaml

from slidecaf.files.tables import write_json
from slidecaf.study.config import check_config, load_config
from slidecaf.study.provenance import renew_code, write_study


def test_a_studys_file_holds_every_default_and_is_the_same_config(repository, tmp_path):
    config = check_config(yaml.safe_load((repository / "config.yaml").read_text()), folder=repository)
    path = tmp_path / "study.yaml"
    write_json(tmp_path / "cnn-336.json", {"weights_sha256": "ab"})
    write_study(path, config.plain(), code="c0de", encoders=[tmp_path / "cnn-336.json"])
    assert load_config(path) == config
    text = path.read_text()
    assert "# code: c0de\n" in text
    assert "# weights of cnn-336: sha256 ab\n" in text
    assert "\n      white_above: null\n" in text  # a default that the demo leaves out
    renew_code(path, "new")
    assert path.read_text() == text.replace("c0de", "new")

"""What is said of a network before any slide."""

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features import describe
from slidecaf.features.networks import precision as precisions
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.files.tables import read_json

SPEC = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}


def test_a_network_is_described_by_its_dimension_and_the_digest_of_its_weights(tmp_path):
    paths = [tmp_path / name for name in ("one.json", "two.json")]
    for path in paths:
        describe.describe_encoder(path, SPEC, precision="fp32")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    encoder = load_encoder(SPEC)
    known = {"dimension": 512, "weights_sha256": encoder.sha256, "precision": "fp32"}
    assert read_json(paths[0]) == {**SPEC, **known}
    describe.describe_encoder(paths[1], {**SPEC, "weights": "random:1"}, precision="fp32")
    assert read_json(paths[1])["weights_sha256"] != encoder.sha256


@pytest.mark.parametrize(("precision", "expected"), [("auto", "bf16"), ("fp32", "fp32")])
def test_auto_is_decided_once_here_and_a_format_that_is_given_stays(tmp_path, monkeypatch, precision, expected):
    monkeypatch.setattr(precisions, "choose_precision", lambda spec, *, device: "bf16")
    describe.describe_encoder(tmp_path / "e.json", SPEC, precision=precision)
    assert read_json(tmp_path / "e.json")["precision"] == expected


def test_a_dense_extraction_whose_stride_does_not_suit_the_network_is_refused_before_any_slide(tmp_path):
    spec, tiling = {**SPEC, "layer": "features.2"}, {"patch_size": 64, "edge": "cover", "white_above": None}
    describe.describe_encoder(tmp_path / "e.json", spec, precision="fp32", dense={**tiling, "stride": 8})
    assert read_json(tmp_path / "e.json")["dimension"] == 96
    with pytest.raises(SlidecafError, match=r"stride of 13 px.*no multiple of the network's 4 px"):
        describe.describe_encoder(tmp_path / "f.json", spec, precision="fp32", dense={**tiling, "stride": 13})
    assert not (tmp_path / "f.json").exists()

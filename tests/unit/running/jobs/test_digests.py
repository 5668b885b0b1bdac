"""Digests follow bytes; what is missing, drawn or has a name is told apart."""

import pytest

from slidecaf.files.fingerprints import Fingerprints
from slidecaf.files.versions import revisions
from slidecaf.running.jobs.digests import Digests
from slidecaf.study.sheets import Row


@pytest.fixture
def digests(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = Row(2, "a", "a.svs", "p", "train", 0.5, None, scene="2")
    rows = {"a": first, "b": Row(3, "b", "b.svs", "p", "train", None, None)}
    return Digests(Fingerprints("memory.json"), rows, made={"b.svs"})


def test_a_slide_is_its_bytes_and_what_the_sheet_says_of_its_file(digests, tmp_path):
    (tmp_path / "a.svs").write_bytes(b"one")
    found = digests.slide("a")
    assert (found["mpp"], found["scene"]) == (0.5, "2")
    assert found["digest"] == digests.file("a.svs") != ""
    (tmp_path / "a.svs").write_bytes(b"other")
    assert digests.slide("a")["digest"] != found["digest"]


def test_a_file_that_is_drawn_counts_with_the_revision_of_what_draws_it_also_before_it_is_there(digests, tmp_path):
    drawn = f"demo-{revisions('demo')['demo']}-"
    assert digests.file("b.svs") == drawn
    (tmp_path / "b.svs").write_bytes(b"pixels")
    assert digests.file("b.svs").startswith(drawn)
    assert digests.file("b.svs") != drawn
    assert digests.file("a.svs") == ""


def test_weights_are_digested_where_they_are_a_file(digests, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"tensors")
    assert digests.weights("own.pth") == digests.file("own.pth", whole=True)
    assert [digests.weights(other) for other in (None, "random:0", "IMAGENET1K_V1")] == [""] * 3
    assert digests.weights("lvd142m", "timm/vit_small_patch14_dinov2") == ""


def test_a_slide_that_is_yet_to_be_drawn_has_no_size(digests, tmp_path):
    (tmp_path / "a.svs").write_bytes(b"four")
    assert (digests.size("a.svs"), digests.size("b.svs")) == (4, 0)


def test_what_is_read_ahead_is_not_read_again(digests, tmp_path, monkeypatch):
    (tmp_path / "mask.png").write_bytes(b"mask")
    digests.read_ahead(["mask.png", "", "missing.png"])
    known = digests.file("mask.png", whole=True)
    monkeypatch.setattr(Fingerprints, "_read", None)
    assert digests.file("mask.png", whole=True) == known

"""What changes a digest, and what does not."""

import os
import shutil

from slidecaf.files import fingerprints
from slidecaf.files.fingerprints import Fingerprints, fingerprint, value_digest


def test_a_copy_has_the_same_fingerprint_and_another_slide_has_not(tmp_path):
    content = os.urandom(700_000)
    (tmp_path / "a").write_bytes(content)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    os.utime(tmp_path / "b", (1, 1))
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    for name, other in (("head", b"x" + content[1:]), ("tail", content[:-1] + b"x"), ("longer", content + b"x")):
        (tmp_path / name).write_bytes(other)
        assert fingerprint(tmp_path / name) != fingerprint(tmp_path / "a"), name


def test_fingerprints_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"one")
    memory = Fingerprints(tmp_path / "memory.json")
    first = memory(tmp_path / "a")
    memory.save()

    read = []
    monkeypatch.setattr(fingerprints, "fingerprint", lambda path: read.append(path) or "anew")
    again = Fingerprints(tmp_path / "memory.json")
    assert again(tmp_path / "a") == first
    assert not read
    (tmp_path / "a").write_bytes(b"two")  # the same size
    os.utime(tmp_path / "a", (1, 1))  # and older
    assert again(tmp_path / "a") == "anew"


def test_a_values_digest_does_not_depend_on_the_order_of_keys():
    assert value_digest({"a": 1, "b": [2, None]}) == value_digest({"b": [2, None], "a": 1})
    assert value_digest({"a": 1}) != value_digest({"a": 2})


def test_a_mask_edited_in_its_middle_has_another_whole_digest(tmp_path):
    path = tmp_path / "mask.tif"
    content = bytearray(2**21)
    path.write_bytes(content)
    fingerprints = Fingerprints(tmp_path / "memory.json")
    before = fingerprints(path, whole=True), fingerprints(path)
    content[2**20] = 1
    path.write_bytes(content)
    assert fingerprints(path, whole=True) != before[0]
    assert fingerprints(path) == before[1]

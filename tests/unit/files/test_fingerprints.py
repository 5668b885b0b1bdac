"""What changes a digest, and what does not."""

import os
import shutil

import numpy as np
import pytest

from slidecaf.files import fingerprints
from slidecaf.files.fingerprints import Fingerprints, fingerprint, value_digest, whole_digest
from tests.dicom import write_level, write_slide


def test_a_copy_has_the_same_fingerprint_and_another_slide_has_not(tmp_path):
    content = os.urandom(700_000)
    (tmp_path / "a").write_bytes(content)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    os.utime(tmp_path / "b", (1, 1))
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    middle = content[:300_000] + b"x" * 100_000 + content[400_000:]
    changed = {"head": b"x" + content[1:], "tail": content[:-1] + b"x", "longer": content + b"x", "middle": middle}
    for name, other in changed.items():
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
    content[2**20 + 2**19] = 1
    path.write_bytes(content)
    assert fingerprints(path, whole=True) != before[0]
    assert fingerprints(path) == before[1]


@pytest.mark.parametrize("name", ["d/level-1.dcm", "d/level-2.dcm", "d"])
def test_every_file_of_a_slide_counts(tmp_path, name):
    pixels = np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)
    write_slide(tmp_path / "d", pixels)
    write_slide(tmp_path / "d2", pixels)
    assert fingerprint(tmp_path / "d/level-2.dcm") == fingerprint(tmp_path / "d") == fingerprint(tmp_path / "d2")
    memory = Fingerprints(tmp_path / "memory.json")
    before, size = memory(tmp_path / name), memory.size(tmp_path / name)
    assert size == sum(path.stat().st_size for path in (tmp_path / "d").iterdir())
    memory.save()
    assert Fingerprints(tmp_path / "memory.json")(tmp_path / name) == before
    times = (tmp_path / "d/level-1.dcm").stat()
    write_level(tmp_path / "d/level-1.dcm", pixels[::-1], series="1.2.3.5", number=1, spacing=0.5)
    os.utime(tmp_path / "d/level-1.dcm", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = Fingerprints(tmp_path / "memory.json")(tmp_path / name)
    assert after != before
    (tmp_path / "d/level-2.dcm").unlink()
    if name != "d/level-2.dcm":
        assert Fingerprints(tmp_path / "memory.json")(tmp_path / name) not in (before, after)


def test_slides_that_begin_and_end_alike_are_told_apart_by_every_byte(tmp_path):
    for name, place in (("a", 0), ("b", 1_500_000)):
        content = bytearray(3_000_000)
        content[place] = 0 if name == "a" else 1
        (tmp_path / name).write_bytes(content)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert whole_digest(tmp_path / "a") != whole_digest(tmp_path / "b")

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


def digest_of(script, text):
    script.write_text(text)
    fingerprints.code_digest.cache_clear()
    fingerprints._parsed.cache_clear()
    return fingerprints.code_digest(script)


def test_comments_docstrings_and_layout_do_not_count_but_code_does(tmp_path):
    script = tmp_path / "script.py"
    plain = digest_of(script, "def f(x):\n    return x + 1\n")
    assert digest_of(script, '"""Said."""\n# said\ndef f(x):\n    """Add."""\n\n    return x+1  # one\n') == plain
    assert digest_of(script, "def f(x):\n    return x + 2\n") != plain


def test_a_module_counts_where_it_is_imported_directly_or_through_others(tmp_path, monkeypatch):
    package = tmp_path / "slidecaf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from slidecaf import b\n    return b.x\n")
    (package / "b.py").write_text("x = 1\n")
    (package / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(
        fingerprints.importlib.util, "find_spec", lambda name: type("S", (), {"origin": str(package / "__init__.py")})
    )
    text = "from slidecaf.a import f\n"
    first = digest_of(tmp_path / "script.py", text)
    (package / "other.py").write_text("x = 2\n")
    assert digest_of(tmp_path / "script.py", text) == first
    (package / "b.py").write_text("x = 2\n")
    assert digest_of(tmp_path / "script.py", text) != first


def test_rules_depend_on_the_modules_that_they_use_and_no_others(repository):
    def modules(script):
        seen, waiting = set(), [repository / "workflow/scripts" / script]
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                waiting += fingerprints._parsed(path)[1](repository / "src/slidecaf")
        return {path.stem for path in seen}

    assert "svm" not in modules("features.py") | modules("tiles.py") | modules("pooling.py")
    assert {"patchwise", "encoder", "hdf5"} <= modules("features.py")
    assert "svm" in modules("svm.py") & modules("decisions.py") & modules("selection.py")
    assert "grid" in modules("tiles.py")


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

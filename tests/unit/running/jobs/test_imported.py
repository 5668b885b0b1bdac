"""Features of another program: a job follows the bytes of its slides' files, and no folder's place."""

from slidecaf.files.fingerprints import Fingerprints
from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.imported import ImportedSets
from slidecaf.study.config import check_config
from tests.unit.running.jobs.planned import Job, rows


def test_what_a_slide_depends_on_are_its_files_and_what_all_do_is_how_they_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = {"kind": "imported", "format": "trident", "folder": "far/away/uni_v1"}
    settings = check_config({"features": {"uni": chosen}}).features
    listed = rows("classification")
    digests = Digests(Fingerprints("memory.json"), {row.slide: row for row in listed})
    sets, job = ImportedSets(settings, listed, digests), Job(features="uni", batch="0")
    assert sets.described(job) == {"format": "trident", "folder": "uni_v1"}
    assert sets.digests("b", job) == {**digests.slide("b"), "files": [""]}  # missing: its own job says so
    assert sets.first(job) == ""
    path = tmp_path / "far/away/uni_v1/b.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    before = sets.digests("b", job)
    path.write_bytes(b"another")
    assert before["files"] != sets.digests("b", job)["files"] != [""]
    assert sets.files("b", job) == ["far/away/uni_v1/b.h5"] == [sets.first(job)]

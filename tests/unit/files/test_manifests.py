"""Batches of slides: what is made, what is left alone, what is made again, and how a plan sees that."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.files import manifests
from slidecaf.files.manifests import (
    Sums,
    Token,
    file_of,
    left_some_alone,
    make_batch,
    paths_by_set,
    read_manifests,
    slide_files,
    slide_paths,
)
from slidecaf.files.tables import read_tsv
from slidecaf.pooling.file import write_pooled

SLIDES = ("a", "b", "c")
SETTINGS = {"power": 2, "revision": {"pooling": 1}}


class Job:
    """A job that writes for each slide its number to a power: as text, and as HDF5."""

    def __init__(self, folder, name="set"):
        self.folder, self.manifest = Path(folder) / name, Path(folder) / name / "batch-0.tsv"
        self.own = {slide: {"number": number} for number, slide in enumerate(SLIDES, start=2)}
        self.settings, self.inputs, self.done, self.fails = dict(SETTINGS), {}, [], {}

    def outputs(self, slide):
        return {"text": self.folder / f"text/{slide}.json", "values": self.folder / f"values/{slide}.h5"}

    def work(self, slide, files, origin):
        self.done.append(slide)
        value = self.own[slide]["number"] ** self.settings["power"]
        files["text"].parent.mkdir(parents=True, exist_ok=True)
        files["text"].write_text(json.dumps({"value": value}))
        if slide in self.fails:
            raise self.fails[slide]
        write_pooled(files["values"], {"3": np.full(4, value)}, patches=1, status="ok", origin=origin)

    def run(self):
        """Do the job as Snakemake does, which deletes the manifest first, and return whose files were made."""
        self.done = []
        self.manifest.unlink(missing_ok=True)
        make_batch(
            self.manifest,
            self.own,
            self.work,
            outputs=self.outputs,
            settings=self.settings,
            inputs=lambda slide: self.inputs.get(slide, {}),
        )
        return self.done


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Job(Path("results"))


def test_every_slide_has_its_files_and_the_manifest_lists_them(job):
    assert job.run() == list(SLIDES)
    for number, slide in enumerate(SLIDES, start=2):
        assert json.loads(job.outputs(slide)["text"].read_text()) == {"value": number**2}
        with h5py.File(job.outputs(slide)["values"]) as file:
            assert file.attrs["revision"] == "pooling 1"
    rows = read_tsv(job.manifest)
    assert [(row["slide"], row["file"]) for row in rows] == [
        (slide, kind) for slide in SLIDES for kind in (f"text/{slide}.json", f"values/{slide}.h5")
    ]
    for row in rows:
        file = file_of(job.folder / row["file"])
        assert (row["sha256"], int(row["size"])) == (file.sha256, Path(file.path).stat().st_size)


def test_what_was_made_from_the_same_is_left_alone_and_nothing_is_amiss(job):
    job.run()
    before = {path: path.stat().st_mtime_ns for path in job.folder.rglob("*.h5")}
    first = job.manifest.read_bytes()
    assert job.run() == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert job.manifest.read_bytes() == first
    assert Token(job.manifest).look() == ""


def test_made_twice_files_and_manifests_are_equal_byte_for_byte(job):
    other = Job(Path("elsewhere"))
    job.run(), other.run()
    for path in job.folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (other.folder / path.relative_to(job.folder)).read_bytes()


@pytest.mark.parametrize("kind", ["settings", "revision", "versions"])
def test_changed_settings_make_every_slide_again(job, kind):
    job.run()
    changed = {
        "settings": {"power": 3},
        "revision": {"revision": {"pooling": 2}},
        "versions": {"versions": {"h5py": 9}},
    }
    job.settings |= changed[kind]
    assert job.run() == list(SLIDES)
    assert job.run() == []


def test_what_changed_of_one_slide_makes_that_one_again(job):
    job.run()
    job.own["b"]["number"] = 7
    assert job.run() == ["b"]
    assert json.loads(job.outputs("b")["text"].read_text()) == {"value": 49}


def test_a_changed_input_makes_its_slide_again(job, tmp_path):
    for slide in SLIDES:
        (tmp_path / slide).write_text(slide)
        job.inputs[slide] = {"features": file_of(tmp_path / slide), "models": [file_of(tmp_path / slide)]}
    job.run()
    (tmp_path / "c").write_text("another")
    job.inputs["c"] = {"features": file_of(tmp_path / "c"), "models": job.inputs["c"]["models"]}
    assert job.run() == ["c"]
    job.inputs["a"]["models"] = [file_of(tmp_path / "c")]
    assert job.run() == ["a"]


def test_a_slide_that_is_dealt_to_another_batch_is_not_made_again(job):
    job.run()
    job.manifest = job.folder / "batch-5.tsv"
    del job.own["a"]
    assert job.run() == []
    assert {row["slide"] for row in read_tsv(job.manifest)} == {"b", "c"}


def test_a_slide_that_fails_stops_no_other_and_is_named(job):
    job.fails["b"] = SlidecafError("slide b: no picture")
    with pytest.raises(SlidecafError, match=r"1 of the 3 slides of this job failed \(b\).*the others are kept"):
        job.run()
    assert job.done == list(SLIDES)
    assert not job.manifest.exists()
    job.fails.clear()
    assert job.run() == ["b"]


def test_a_fault_of_the_program_is_raised_after_the_others_are_done(job):
    job.fails["a"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        job.run()
    assert job.done == list(SLIDES)


def test_an_interrupted_job_goes_on_where_it_was(job):
    job.fails["b"] = KeyboardInterrupt()  # when the first of the slide's two files is there
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert job.done == ["a", "b"]
    job.fails.clear()
    assert job.run() == ["b", "c"]


@pytest.mark.parametrize("kind", ["text", "values"])
def test_a_plan_sees_a_file_that_is_gone_once_and_the_job_makes_it_again(job, kind, caplog):
    job.run()
    expected = job.manifest.read_bytes()
    path = job.outputs("b")[kind]
    path.unlink()
    token = Token(job.manifest)
    changed = token.look()
    assert changed
    assert f"{path} is gone; it is made again." in caplog.text
    assert token.files == {str(path): None}
    assert Token(job.manifest).look() == changed  # planning again asks for nothing more
    assert job.run() == ["b"]
    assert job.manifest.read_bytes() == expected
    assert Token(job.manifest).files == {}
    assert Token(job.manifest).look() == changed  # and now there is nothing to do


@pytest.mark.parametrize("kind", ["text", "values"])
def test_a_damaged_file_is_seen_by_the_plan_and_made_again(job, kind):
    job.run()
    path = job.outputs("c")[kind]
    content = bytearray(path.read_bytes())
    expected = bytes(content)
    content[len(content) // 2] ^= 8
    path.write_bytes(content)
    first = Token(job.manifest).look()
    assert first
    assert job.run() == ["c"]
    assert path.read_bytes() == expected
    path.write_bytes(content)  # again the same damage: another token, or no job would run
    assert Token(job.manifest).look() not in ("", first)
    assert job.run() == ["c"]


def test_a_text_that_was_changed_is_made_again_without_a_plan(job):
    job.run()
    job.outputs("a")["text"].write_text("{}")
    assert job.run() == ["a"]


def test_a_text_whose_hidden_file_is_gone_or_no_json_is_made_again(job):
    job.run()
    hidden = job.folder / "text/.a.json.made"
    hidden.unlink()
    (job.folder / "text/.b.json.made").write_text("{")
    assert job.run() == ["a", "b"]
    assert hidden.is_file()


def test_a_damaged_manifest_changes_the_token(job):
    job.run()
    job.manifest.write_bytes(job.manifest.read_bytes().replace(b"a.h5", b"b.h5"))
    assert Token(job.manifest).look()


def test_without_a_manifest_nothing_is_amiss(job):
    assert Token(job.manifest).look() == ""
    assert not Path(".snakemake").exists()


def test_sums_are_remembered_until_a_file_changes(job, monkeypatch):
    job.run()
    path = job.outputs("a")["text"]
    known = Sums(job.manifest)
    assert known(path) == (path.stat().st_size, file_of(path).sha256)
    known.save()
    monkeypatch.setattr(manifests, "_sha256", lambda path: "read again")
    assert Sums(job.manifest)(path) == known(path)
    path.write_text("something else")
    assert Sums(job.manifest)(path)[1] == "read again"


def test_files_are_read_by_slide_and_folder(job):
    job.run()
    found = read_manifests([job.manifest])
    assert list(found) == list(SLIDES)
    assert set(found["a"]) == {"text", "values"}
    assert Path(found["a"]["values"].path) == job.outputs("a")["values"]
    assert found["a"]["text"] == file_of(job.outputs("a")["text"])


def test_files_of_several_batches_and_feature_sets_are_read_together(job):
    for name, number in (("one", 0), ("one", 1), ("two", 0)):
        other = Job(Path("results"), name)
        other.manifest = other.folder / f"batch-{number}.tsv"
        other.own = {f"{slide}{number}": own for slide, own in other.own.items()}
        other.outputs = lambda slide, top=other.folder: {"values": top / f"{slide}.h5", "text": top / f"x/{slide}.json"}
        other.run()
    batches = [Path("results/one/batch-0.tsv"), Path("results/one/batch-1.tsv")]
    assert list(slide_files(batches)) == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert slide_paths(batches, among={"b1"}) == {"b1": "results/one/b1.h5"}
    by_set = paths_by_set([*batches, Path("results/two/batch-0.tsv")])
    assert {name: len(paths) for name, paths in by_set.items()} == {"one": 6, "two": 3}


def test_a_file_that_never_comes_to_be_seen_is_an_error_that_names_it(job, monkeypatch):
    monkeypatch.setattr(manifests, "LATENCY", 0.2)
    job.run()
    path = job.outputs("b")["values"]
    path.unlink()
    with pytest.raises(SlidecafError, match=rf"{path} is missing, which {job.manifest} lists"):
        read_manifests([job.manifest])


def test_a_job_that_left_files_alone_says_so_beside_the_manifest_until_one_makes_all(job):
    job.run()
    assert not left_some_alone(job.manifest)
    job.outputs("b")["text"].unlink()
    content = job.manifest.read_bytes()
    assert job.run() == ["b"]
    assert left_some_alone(job.manifest)
    assert job.manifest.with_name(f".{job.manifest.name}.left").read_text() == "a\nc\n"
    assert job.manifest.read_bytes() == content
    assert job.run() == []
    assert left_some_alone(job.manifest)
    job.settings["power"] = 3
    assert job.run() == list(SLIDES)
    assert not left_some_alone(job.manifest)
    assert not list(job.manifest.parent.glob(".*.left"))

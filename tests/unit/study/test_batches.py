"""Slides that share a job."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.study.batches import for_each, forget, in_batches


@given(st.lists(st.text(max_size=3), unique=True, max_size=30), st.integers(1, 7))
def test_batches_hold_every_slide_once_in_order_and_a_slide_more_changes_the_last_only(slides, size):
    batches = in_batches(slides, size)
    assert [slide for batch in batches for slide in batch] == slides
    assert all(len(batch) == size for batch in batches[:-1])
    assert in_batches([*slides, "new"], size)[: len(batches) - 1] == batches[:-1]


@pytest.fixture
def job(tmp_path):
    """Four slides of one input and two outputs each, and a run of their job that counts what it does."""
    slides = []
    for name in "abcd":
        (tmp_path / f"{name}.in").write_text(name)
        outputs = [str(tmp_path / f"{name}.{kind}") for kind in ("one", "two")]
        slides.append({"slide": name, "inputs": [str(tmp_path / f"{name}.in")], "outputs": outputs})

    def run(bad=(), stop=None, depends_on=1):
        done = []

        def work(slide):
            if slide["slide"] == stop:
                raise KeyboardInterrupt
            done.append(slide["slide"])
            if slide["slide"] in bad:
                raise bad[slide["slide"]]
            for path in slide["outputs"]:
                Path(path).write_text(Path(slide["inputs"][0]).read_text() + str(depends_on))

        try:
            for_each(slides, work, keep=tmp_path / "keep", depends_on=depends_on)
        except BaseException:
            for slide in slides:  # as Snakemake does
                for path in slide["outputs"]:
                    Path(path).unlink(missing_ok=True)
            return done
        assert all(
            Path(path).read_text() == slide["slide"] + str(depends_on) for slide in slides for path in slide["outputs"]
        )
        return done

    run.folder, run.slides = tmp_path, slides
    return run


def test_an_interrupted_job_goes_on_where_it_was(job):
    assert job(stop="c") == ["a", "b"]
    assert job() == ["c", "d"]
    assert job() == []
    forget(job.folder / "keep")
    forget(job.folder / "keep")
    assert job() == ["a", "b", "c", "d"]


def test_a_bad_slide_stops_no_other_and_is_named(job):
    assert job(bad={"b": SlidecafError("b is bad")}) == ["a", "b", "c", "d"]
    assert job() == ["b"]


def test_what_fails_is_named(job):
    def work(slide):
        if slide["slide"] in "bd":
            raise SlidecafError("bad")
        for path in slide["outputs"]:
            Path(path).write_text("")

    with pytest.raises(SlidecafError, match=r"2 of the 4 slides of this job failed \(b, d\)"):
        for_each(job.slides, work, keep=job.folder / "keep", depends_on=0)


def test_a_fault_of_the_program_is_raised_after_the_others_are_done(job):
    def work(slide):
        if slide["slide"] == "a":
            raise ZeroDivisionError
        for path in slide["outputs"]:
            Path(path).write_text("")

    with pytest.raises(ZeroDivisionError):
        for_each(job.slides, work, keep=job.folder / "keep", depends_on=0)
    assert Path(job.slides[3]["outputs"][1]).exists()


@pytest.mark.parametrize("change", ["input", "settings"])
def test_what_was_made_from_something_else_is_made_again(job, change):
    assert job(stop="d") == ["a", "b", "c"]
    if change == "input":
        (job.folder / "b.in").write_text("b")
        assert job() == ["b", "d"]
    else:
        assert job(depends_on=2) == ["a", "b", "c", "d"]


def test_what_is_taken_up_is_newer_than_its_inputs(job):
    job(stop="d")
    (job.folder / "d.in").write_text("d")
    made = (job.folder / "d.in").stat().st_mtime_ns
    job()
    assert (job.folder / "a.one").stat().st_mtime_ns >= made


def test_a_slide_of_its_own_is_not_kept(job):
    for_each(job.slides[:1], lambda slide: None, keep=job.folder / "keep", depends_on=0)
    assert not (job.folder / "keep").exists()


def test_without_hard_links_the_job_is_done_all_the_same(job, monkeypatch):
    def refuse(*names):
        raise PermissionError("links are not to be had")

    monkeypatch.setattr("os.link", refuse)
    assert job() == ["a", "b", "c", "d"]
    assert not list((job.folder / "keep").iterdir())

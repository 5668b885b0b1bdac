"""A file that the machine does not give is never called damaged, whoever reads it."""

import ast
import builtins
import errno
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from slidecaf.errors import InputErrors, MachineError, SlidecafError, SlideError
from slidecaf.exchange.reading import describe_set
from slidecaf.files.faults import is_file, machine_fault
from slidecaf.files.fingerprints import Fingerprints
from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.files.manifests import Sums, Token, make_batch
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.logs import job
from slidecaf.segmentation.masks import mask_strips
from slidecaf.segmentation.rasters import read_attributes
from slidecaf.slides import open_slide
from slidecaf.slides.base import slide_errors
from slidecaf.study.config_file import read_config
from slidecaf.study.imported import Source
from slidecaf.study.sheets import read_sheet
from slidecaf.viewer.layer_files import TiffRaster

CODES = ("EIO", "EACCES", "ENOLCK", "ESTALE", "ETIMEDOUT", "EMFILE")


def _hdf5(path):
    with open_hdf5(path):
        pass


def _mask(path):
    list(mask_strips(path, slide="s", row=2, column="mask", width=8, height=8))


READERS = {
    "hdf5": _hdf5,
    "table": read_tsv,
    "json": read_json,
    "slide": open_slide,
    "mask": _mask,
    "raster": read_attributes,
    "viewer": TiffRaster,
    "fingerprint": lambda path: Fingerprints("none.json")(path),
    "sums": lambda path: Sums("m.tsv")(path),
    "config": read_config,
    "sheet": lambda path: read_sheet(path, "classification"),
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("f.tif", np.zeros((8, 8), np.uint8))
    return tmp_path / "f.tif"


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("reader", READERS)
def test_a_fault_of_the_machine_is_named_and_nobody_is_told_to_delete(file, monkeypatch, reader, code):
    number = getattr(errno, code)

    def refuse(path, *arguments, **options):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr("io.open", refuse)
    with pytest.raises(MachineError) as caught:
        READERS[reader](file)
    said = str(caught.value)
    assert re.search(rf"f\.tif,? cannot be read \({os.strerror(number)}\): ", said)
    assert said.endswith("the file may be good.")
    assert not any(word in said for word in ("delete", "damaged", "missing", "copy"))


@pytest.mark.parametrize("reader", ["hdf5", "table", "json", "raster", "viewer"])
def test_missing_and_damaged_results_are_told_apart(tmp_path, reader):
    absent, damaged = tmp_path / "absent.tif", tmp_path / "damaged.tif"
    damaged.write_bytes(b"II*\0" + bytes(40))
    (tmp_path / ".damaged.tif.sha256").write_text("another")  # looked at where a result is text
    with pytest.raises(SlidecafError, match=r"absent\.tif is missing; run again, and it is made anew\.") as caught:
        READERS[reader](absent)
    assert type(caught.value) is SlidecafError
    with pytest.raises(SlidecafError, match=r"damaged\.tif is damaged \(.*; delete it and run again"):
        READERS[reader](damaged)


def test_what_hdf5_says_in_words_is_understood(tmp_path, monkeypatch):
    """HDF5 gives the number of an error in its text, also for a part of a file that is read later."""
    with create_hdf5(tmp_path / "f.h5") as file:
        file["x"] = np.arange(3)
    said = "Can't synchronously read data (file read failed: errno = 5, error message = 'Input/output error')"
    with (
        pytest.raises(MachineError, match=r"f\.h5 cannot be read \(Input/output error\)"),
        open_hdf5(tmp_path / "f.h5"),
    ):
        raise OSError(said)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 byte")])
def test_memory_that_ran_out_is_no_damage(tmp_path, error):
    said = r"slide s: f\.tif cannot be read \(there is not enough memory\): give"
    with pytest.raises(MachineError, match=said), slide_errors("s", "f.tif"):
        raise error


@pytest.mark.parametrize("error", [OSError(22, "Invalid argument"), OSError("torn"), ValueError("x"), KeyError("y")])
def test_what_damaged_contents_lead_to_is_no_fault_of_the_machine(error):
    assert machine_fault(error) is None


def test_an_error_is_known_by_what_it_was_raised_from():
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("a library's own") from OSError(errno.EIO, "Input/output error")
    assert machine_fault(caught.value)[0] == "Input/output error"


def test_a_slide_is_left_out_for_damage_only(tmp_path):
    """With ``on_bad_slide: exclude`` a `SlideError` leaves a slide out, and the reviewer counts it as wrong."""
    assert not issubclass(MachineError, SlideError)


def test_a_folder_without_leave_is_not_a_missing_file(monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    assert not is_file("nowhere/x")
    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(MachineError, match=r"nowhere/x cannot be read \(Permission denied\): make it readable"):
        is_file("nowhere/x")


def test_a_good_file_is_not_made_anew_because_it_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = []

    def work(slide, files, origin):
        made.append(slide)
        with create_hdf5(files["one"], origin=origin) as file:
            file["x"] = np.arange(3)

    def run():
        outputs = {"outputs": lambda slide: {"one": tmp_path / f"{slide}.h5"}, "settings": {"revision": {"files": 1}}}
        make_batch(tmp_path / "batch-0.tsv", {"a": {}}, work, **outputs)

    run()
    content = (tmp_path / "a.h5").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(h5py, "File", lambda *args, **options: (_ for _ in ()).throw(OSError(errno.EIO, "no answer")))
        with pytest.raises(SlidecafError, match="1 of the 1 slides of this job failed"):
            run()
    assert (made, (tmp_path / "a.h5").read_bytes()) == (["a"], content)
    run()
    assert made == ["a"]


def test_a_plan_ends_where_it_cannot_read_and_makes_nothing_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("x")
    write_tsv("batch-0.tsv", ("slide", "file", "size", "sha256"), [{"slide": "a", "file": "a.txt", "size": 1}])
    original = builtins.open

    def refuse(path, *arguments, **options):
        if str(path).endswith("a.txt"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(MachineError, match=r"a\.txt cannot be read \(Stale file handle\)"):
        Token("batch-0.tsv").look()
    assert Token("batch-0.tsv").text == ""


def test_imported_features_of_a_disk_that_does_not_answer_are_not_called_damaged(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"] = np.ones((2, 3))
    fault = OSError(errno.ENOLCK, "unable to lock file, errno = 37, error message = 'No locks available'")
    monkeypatch.setattr(h5py, "File", lambda *args, **options: (_ for _ in ()).throw(fault))
    with pytest.raises(MachineError, match=r"slide a: .*a\.h5 cannot be read \(No locks available\)"):
        describe_set({"a": Source(tmp_path / "a.h5")}, folder=str(tmp_path))


def test_a_sheet_that_is_not_there_is_still_the_configs_matter(tmp_path):
    with pytest.raises(InputErrors, match="write the sheet's path into the config"):
        read_sheet(tmp_path / "none.tsv", "classification")


def test_hdf5_files_are_opened_without_locks_everywhere(repository):
    """Network disks without locks give ENOLCK; files are whole once they have their name, so that none is needed."""
    calls = [
        (path.name, node)
        for path in (repository / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "h5py.File"
    ]
    assert len(calls) >= 8
    for name, node in calls:
        assert {word.arg: ast.unparse(word.value) for word in node.keywords}.get("locking") == "False", name


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
def test_a_slides_job_that_the_machine_stops_is_not_slidecafs_fault(tmp_path, monkeypatch, caplog, error):
    def work(slide, files, origin):
        raise error

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SlidecafError, match=r"1 of the 1 slides of this job failed \(a\)"):
        make_batch("b.tsv", {"a": {}}, work, outputs=lambda slide: {"x": "a.h5"}, settings={"revision": {"files": 1}})
    assert "fault in slidecaf" not in caplog.text
    assert ("give the job more memory" in caplog.text) or ("ulimit -n" in caplog.text)


def test_a_job_without_memory_says_so_and_is_not_slidecafs_fault(tmp_path):
    with pytest.raises(SystemExit), job(tmp_path / "a.log"):
        raise MemoryError
    said = (tmp_path / "a.log").read_text()
    assert "not enough memory" in said
    assert "fault in slidecaf" not in said

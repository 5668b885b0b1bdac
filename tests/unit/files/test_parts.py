"""Which files a slide consists of, by its format."""

import numpy as np
import pytest

from slidecaf.files.parts import dicom_slides, lies_alone, parts_of
from tests.dicom import write_slide

PIXELS = np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)


def test_most_slides_are_one_file(tmp_path):
    for name in ("a.svs", "b.tif", "c.png", "empty"):
        (tmp_path / name).write_bytes(b"x" * (0 if name == "empty" else 200))
        assert parts_of(tmp_path / name) == [tmp_path / name]
        assert lies_alone(tmp_path / name)


def test_a_dicom_slide_has_the_files_of_its_series(tmp_path):
    first = write_slide(tmp_path, PIXELS)
    other = write_slide(tmp_path, PIXELS, series="1.2.3.9", stem="other")
    (tmp_path / "notes.txt").write_text("of the scan")
    own = [tmp_path / "level-1.dcm", tmp_path / "level-2.dcm"]
    assert parts_of(first) == own
    assert parts_of(own[1]) == own[::-1]
    assert not lies_alone(first)
    assert [[file.name for file in slide] for slide in dicom_slides(tmp_path)] == [
        ["level-1.dcm", "level-2.dcm"],
        ["other-1.dcm", "other-2.dcm"],
    ]
    assert parts_of(other)[0] == other


def test_a_mirax_slide_has_the_files_of_its_folder(tmp_path):
    (tmp_path / "a.mrxs").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    for name in ("Slidedat.ini", "Data0000.dat"):
        (tmp_path / "a" / name).write_bytes(b"x")
    assert parts_of(tmp_path / "a.mrxs") == [tmp_path / name for name in ("a.mrxs", "a/Data0000.dat", "a/Slidedat.ini")]


@pytest.mark.parametrize("suffix", ["vms", "vmu"])
def test_an_index_of_hamamatsu_names_its_files(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_text("[Virtual Microscope Specimen]\nImageFile=a.jpg\nMapFile=a_map.jpg\n")
    for name in ("a.jpg", "a_map.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert parts_of(tmp_path / f"a.{suffix}") == [tmp_path / name for name in (f"a.{suffix}", "a.jpg", "a_map.jpg")]

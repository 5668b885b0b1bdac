import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide
from slidecaf.slides.image import ImageSlide
from slidecaf.slides.openslide import OpenSlideSlide
from slidecaf.slides.tiff import TiffSlide

RGB = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)


def test_the_content_and_not_the_suffix_says_what_opens_a_file(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.svs", format="PNG")
    Image.fromarray(RGB).save(tmp_path / "b.png", format="JPEG")
    tifffile.imwrite(tmp_path / "c.jpg", RGB, photometric="rgb")
    tifffile.imwrite(tmp_path / "d.jpg", RGB, photometric="rgb", tile=(16, 16), compression="lzw")
    for name, kind in (("a.svs", ImageSlide), ("b.png", ImageSlide), ("c.jpg", TiffSlide), ("d.jpg", OpenSlideSlide)):
        with open_slide(tmp_path / name) as slide:
            assert type(slide) is kind
            assert slide.read(0, 0, 50, 40).shape == (40, 50, 3)


def test_the_name_is_the_sheets_or_else_the_files(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.b.png")
    assert open_slide(tmp_path / "a.b.png").name == "a.b"
    assert open_slide(str(tmp_path / "a.b.png"), name="case-7", mpp=0.5).name == "case-7"


def test_the_resolution_of_the_sheet_counts_for_every_kind(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png", dpi=(50800, 50800))
    assert open_slide(tmp_path / "a.png").mpp is None
    assert open_slide(tmp_path / "a.png", mpp=0.5).mpp == 0.5


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "is no file; correct the sheet's column path"),
        (lambda path: path.mkdir(), "is a folder without a DICOM file"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"<svg/>"), "is of no format that is read; give"),
        (lambda path: Image.fromarray(RGB).save(path, format="BMP"), "is of no format that is read"),
        (lambda path: path.write_bytes(b"II*\0"), "cannot be opened"),
        (lambda path: path.write_bytes(b"MM\0+\0\x08\0\0" + bytes(8)), "cannot be opened"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "cannot be opened"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff"), "cannot be opened"),
    ],
)
def test_what_is_no_slide_is_an_error_that_names_slide_and_file(tmp_path, make, reason):
    make(tmp_path / "bad.tif")
    with pytest.raises(SlideError, match=f"slide case-7: .*bad.tif.*{reason}"):
        open_slide(tmp_path / "bad.tif", name="case-7")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.vsi", None, "is Olympus VSI, whose pixels lie in a folder beside it; convert it to OME-TIFF by QuPath or"),
        ("a.lif", b"p\0\0\0", "is of Leica LAS X; convert it to OME-TIFF by QuPath or Bio-Formats' bfconvert"),
        ("a.isyntax", b"<DataObject", "is Philips iSyntax; convert it to TIFF by isyntax-to-tiff"),
        ("a.webp", b"RIFF    WEBP", "is a picture of no format read; save it as PNG or TIFF"),
        ("a.mrxs", None, "is MIRAX without the folder a beside it, which holds its pixels; copy that too"),
    ],
)
def test_what_is_not_read_says_by_which_converter_it_can_be(tmp_path, name, content, said):
    path = tmp_path / name
    if content is None:  # a picture that a library opens: the slide's overview
        Image.fromarray(RGB).save(path, format="TIFF" if name == "a.vsi" else "JPEG")
    else:
        path.write_bytes(content)
    with pytest.raises(SlideError, match=f"slide a: .*{name} {re.escape(said)}"):
        open_slide(path)


@pytest.mark.parametrize("index", [".zattrs", "zarr.json"])
def test_a_folder_of_ome_zarr_says_what_it_is(tmp_path, index):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / index).write_text("{}")
    with pytest.raises(SlideError, match=r"slide s: .* is OME-Zarr; convert it to OME-TIFF by raw2ometiff"):
        open_slide(tmp_path / "s")

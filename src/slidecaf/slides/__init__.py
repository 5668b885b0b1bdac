"""Slides: regions of RGB pixels from any image file, whole-slide formats to PNG, with bounded memory.

`open_slide` finds who reads a file: OpenSlide (`openslide`), this room's own TIFF reader (`tiff`) or Pillow (`image`).
TIFF is guarded before a library follows it (`directories`); `pages` reads regions of any kind of samples, also of masks
and maps, `segments` decodes one tile or strip, `cache` keeps those last used, `colour` and `pixels` turn samples into
RGB.
"""

from pathlib import Path

from openslide import OpenSlide

from slidecaf.errors import SlideError
from slidecaf.files.faults import is_file
from slidecaf.files.parts import dicom_slides
from slidecaf.slides.base import LIMITS, Level, Limits, Slide, slide_errors
from slidecaf.slides.converters import MASQUERADING, converter, missing_folder
from slidecaf.slides.directories import check_directories
from slidecaf.slides.image import READERS, ImageSlide
from slidecaf.slides.openslide import OpenSlideSlide
from slidecaf.slides.tiff import TiffSlide, suits_openslide

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

__all__ = ["LIMITS", "Level", "Limits", "Slide", "open_slide"]

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF, of both byte orders."""


def open_slide(path, *, name=None, mpp=None, scene="", limits=LIMITS) -> Slide:
    """Open a slide.

    OpenSlide opens what it recognises; what it recognises and cannot open is an error. Other files are taken by
    their first bytes for TIFF, PNG or JPEG.

    Parameters
    ----------
    path : path-like
        A file, or a folder that holds the files of one DICOM slide.
    name : str, optional
        The slide's id, for errors; the file's name without its suffix by default.
    mpp : float, optional
        Micrometres a pixel of level 0 by the sheet; it wins over the file's.
    scene : str, optional
        Name, or number from 0, of the image that is meant where a TIFF file holds several.
    limits : Limits, optional
        How large it may say that it is; the config's defaults by default.

    Returns
    -------
    Slide

    Raises
    ------
    SlideError
        If there is no such file, or it cannot be opened, or is of no format that is read, or is too large, or holds
        several images of which none was chosen.
    MachineError
        If the machine does not give the file.
    """
    name = Path(path).stem if name is None else name
    known = missing_folder(path) or converter(path)
    if known and (Path(path).is_dir() or Path(path).suffix.lower() in MASQUERADING):
        raise SlideError(f"slide {name}: {path} {known}.")
    if Path(path).is_dir():
        path = _dicom_file(name, path)
    if not is_file(path):
        raise SlideError(f"slide {name}: {path} is no file; correct the sheet's column path.")
    with slide_errors(name, path):
        with open(path, "rb") as file:
            start = file.read(8)
        if start.startswith(TIFF):
            check_directories(path)
        vendor = OpenSlide.detect_format(path)
    generic = vendor == "generic-tiff" and (scene or not suits_openslide(name, path))
    if generic or (vendor is None and start.startswith(TIFF)):
        return TiffSlide(name, path, mpp=mpp, scene=scene, limits=limits)
    if scene:
        raise SlideError(
            f"slide {name}: {path} is read as one image, and the sheet's column scene asks for {scene!r}; leave that "
            "cell empty."
        )
    if vendor is not None:
        return OpenSlideSlide(name, path, mpp=mpp, limits=limits)
    for head, reader in READERS.items():
        if start.startswith(head):
            return ImageSlide(name, path, reader, mpp=mpp, limits=limits)
    if start and known:
        raise SlideError(f"slide {name}: {path} {known}.")
    what = "is of no format that is read" if start else "is empty"
    raise SlideError(f"slide {name}: {path} {what}; give a whole-slide file that OpenSlide reads, TIFF, PNG or JPEG.")


def _dicom_file(name, folder):
    """Return one of the files by which OpenSlide opens the DICOM slide in a folder."""
    slides = dicom_slides(folder)
    if len(slides) == 1:
        return slides[0][0]
    if not slides:
        raise SlideError(f"slide {name}: {folder} is a folder without a DICOM file; write the slide's file.")
    listed = ", ".join(files[0].name for files in slides[:5])
    raise SlideError(
        f"slide {name}: {folder} holds {len(slides)} DICOM series; write a file of the one that is meant, such as "
        f"{listed}, or give each a folder."
    )

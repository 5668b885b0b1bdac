"""Slides: one image file of any size, opened by whatever reads its format."""

from pathlib import Path

from slidecaf.errors import SlideError

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path, *, name=None, mpp=None):
    """Open a slide: with OpenSlide where it knows the format, otherwise as TIFF, PNG or JPEG.

    Parameters
    ----------
    path : path-like
    name : str, optional
        The slide's id, for errors; the file's name without suffix by default.
    mpp : float, optional
        Micrometres a pixel at level 0; wins over the file's.

    Returns
    -------
    slidecaf.slides.base.Slide

    Raises
    ------
    SlideError
        If there is no such file, or it cannot be opened; a format that OpenSlide knows and cannot open is not
        tried otherwise.
    """
    import openslide

    from slidecaf.slides.image import ImageSlide
    from slidecaf.slides.openslide import OpenSlideSlide
    from slidecaf.slides.tiff import TiffSlide, openslide_reads_rightly

    name = name or Path(path).stem
    if not Path(path).is_file():
        raise SlideError(f"slide {name}: there is no file {path}; write its path into the sheet.")
    try:
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as error:
        raise SlideError(f"slide {name}: {path} cannot be read ({error}); mend its permissions or its disk.") from error
    vendor = openslide.OpenSlide.detect_format(path)
    if vendor and (vendor != "generic-tiff" or openslide_reads_rightly(path)):
        return OpenSlideSlide(path, name, mpp=mpp)
    return (TiffSlide if start in _TIFF else ImageSlide)(path, name, mpp=mpp)

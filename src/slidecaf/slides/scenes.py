"""The images of a TIFF file of which each could be the slide: scenes of one scan, several sections, any stack of pages.

Labels, overviews and reduced levels are none of them. Where a file holds several, the sheet says which is meant.
"""

import re
from dataclasses import dataclass

import tifffile

from slidecaf.errors import SlideError
from slidecaf.slides.ome import elements, read_ome

NO_SCENE = re.compile(r"\b(label|macro|thumbnail|overview|navigator)\b", re.IGNORECASE)
"""Names of images that are no scene, as OME files have them."""

LEAST_SHARE = 4
"""A further page of a file without descriptions is a scene where it is stored as the first is, in tiles or strips, and
has at least one px for so many of the first's: labels and overviews are smaller."""

MICROMETRES = {"pm": 1e-6, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""Units of OME-XML's PhysicalSize."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One image of a TIFF file.

    Attributes
    ----------
    name : str
        As the file has it; empty where it has none.
    page : tifffile.TiffPage
        Its full resolution.
    planes : int
        Focal planes, times and channels that have pages of their own.
    mpp : (float, float) or None
        Micrometres a pixel, across and down, where the file's description says so.
    bits : int or None
        Bits of a sample that are in use, where the file's description says so.
    """

    name: str
    page: tifffile.TiffPage
    planes: int = 1
    mpp: tuple[float, float] | None = None
    bits: int | None = None

    def __str__(self):
        return f"{self.name!r} of {self.page.imagewidth} x {self.page.imagelength} px".removeprefix("'' of ")


def list_scenes(tiff) -> list[Scene]:
    """List the images of a TIFF file of which each could be the slide.

    Parameters
    ----------
    tiff : tifffile.TiffFile

    Returns
    -------
    list of Scene
        At least one, in the file's order.

    Raises
    ------
    ValueError
        If the file's OME-XML does not fit its pages.
    """
    return _described(tiff) if tiff.is_ome else _paged(tiff)


def choose_scene(scenes, wanted, *, name, path) -> Scene:
    """Choose the scene that a sheet means.

    Parameters
    ----------
    scenes : list of Scene
    wanted : str
        A scene's name, or its number from 0; empty takes the only one.
    name : str
        The slide's id, for errors.
    path : path-like

    Returns
    -------
    Scene

    Raises
    ------
    SlideError
        If there are several and none is wanted, or none or several are as wanted.
    """
    listed = ", ".join(f"{number}: {scene}" for number, scene in enumerate(scenes[:20]))
    if wanted:
        found = [scene for scene in scenes if scene.name == wanted]
        if not found and wanted.isdecimal() and int(wanted) < len(scenes):
            found = [scenes[int(wanted)]]
        if len(found) == 1:
            return found[0]
        raise SlideError(
            f"slide {name}: {path} holds {'several images' if found else 'no image'} {wanted!r}; write a number of "
            f"these into the sheet's column scene: {listed}."
        )
    if len(scenes) > 1:
        raise SlideError(
            f"slide {name}: {path} holds {len(scenes)} images; write the name or number of the one that is meant into "
            f"the sheet's column scene ({listed})."
        )
    return scenes[0]


def _described(tiff):
    """List the images of an OME-TIFF file by its XML."""
    pages, found = tiff.pages, []
    for image in elements(read_ome(tiff), "Image"):
        pixels = next(elements(image, "Pixels"), None)
        place = None if pixels is None else next(elements(pixels, "TiffData"), None)
        if place is None:
            continue
        number = int(place.get("IFD", 0))
        if number >= len(pages):
            raise ValueError(f"its OME-XML names page {number}, and it has {len(pages)}; its images are in other files")
        page = pages[number]
        if (page.imagewidth, page.imagelength) != (int(pixels.get("SizeX", 0)), int(pixels.get("SizeY", 0))):
            raise ValueError(f"its OME-XML gives page {number} another size than the page has")
        planes = int(pixels.get("SizeZ", 1)) * int(pixels.get("SizeT", 1))
        planes *= max(1, int(pixels.get("SizeC", 1)) // max(1, page.samplesperpixel))
        bits = pixels.get("SignificantBits")
        name = image.get("Name", "")
        if not NO_SCENE.search(name):
            found.append(Scene(name, page, planes, _physical(pixels), bits and int(bits)))
    if not found:
        raise ValueError("its OME-XML names no image but labels and overviews")
    # exports that know no reduced levels give each level as an image of its own
    first = found[0]
    return [first, *(scene for scene in found[1:] if not is_smaller(scene.page, first.page))]


def _physical(pixels):
    """Return micrometres a pixel, across and down, or None where one is missing or of no unit of length."""
    sides = []
    for side in "XY":
        value, unit = pixels.get(f"PhysicalSize{side}"), pixels.get(f"PhysicalSize{side}Unit", "µm")
        if value is None or unit not in MICROMETRES:
            return None
        sides.append(float(value) * MICROMETRES[unit])
    return tuple(sides)


def _paged(tiff):
    """List the images of another TIFF file by its pages."""
    first, *others = tiff.pages
    pixels = first.imagewidth * first.imagelength
    found = [first]
    for page in others:
        stored_alike = page.is_tiled == first.is_tiled
        large = page.imagewidth * page.imagelength * LEAST_SHARE >= pixels
        larger = page.imagewidth * page.imagelength > pixels
        if page.is_reduced or page.is_mask or is_smaller(page, first) or min(page.imagewidth, page.imagelength) < 1:
            continue
        if larger or (stored_alike and large):
            found.append(page)
    return [Scene("", page) for page in found]


def is_smaller(page, first) -> bool:
    """Tell whether a page has fewer px than another one and its proportions, as a level of it has.

    Both sides may be rounded, up or down. A label or an overview has other proportions.

    Parameters
    ----------
    page, first : tifffile.TiffPage

    Returns
    -------
    bool
    """
    if not 0 < page.imagewidth < first.imagewidth or page.imagelength < 1:
        return False
    downsample = downsample_of(page, first)
    across, down = first.imagewidth / downsample, first.imagelength / downsample
    return abs(across - page.imagewidth) <= 1 and abs(down - page.imagelength) <= 1


def downsample_of(page, first) -> float:
    """Return px of a page for one px of a smaller one, the mean of both directions.

    Parameters
    ----------
    page, first : tifffile.TiffPage
        The smaller and the larger one.

    Returns
    -------
    float
    """
    return (first.imagewidth / page.imagewidth + first.imagelength / page.imagelength) / 2

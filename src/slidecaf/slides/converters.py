"""Formats that are not read: what each is, and by which program it becomes one that is."""

from pathlib import Path

BIO_FORMATS = "convert it to OME-TIFF by QuPath or Bio-Formats' bfconvert"
PICTURE = "save it as PNG or TIFF"

FORMATS = {
    ".vsi": f"is Olympus VSI, whose pixels lie in a folder beside it; {BIO_FORMATS}",
    ".zarr": "is OME-Zarr; convert it to OME-TIFF by raw2ometiff",
    ".isyntax": "is Philips iSyntax; convert it to TIFF by isyntax-to-tiff of libisyntax, or export TIFF from IMS",
    ".kfb": "is KFBio's format; convert it to SVS or TIFF by the scanner's own converter",
    ".sdpc": "is SQRAY's format; convert it to SVS or TIFF by the scanner's own converter",
    ".dzi": "is a Deep Zoom index; give the slide that it was made of",
    **dict.fromkeys((".lif", ".lof"), f"is of Leica LAS X; {BIO_FORMATS}"),
    ".nd2": f"is of Nikon NIS-Elements; {BIO_FORMATS}",
    **dict.fromkeys((".oir", ".oib", ".oif"), f"is of Olympus FluoView; {BIO_FORMATS}"),
    **dict.fromkeys((".zvi", ".lsm"), f"is an older format of Zeiss; {BIO_FORMATS}"),
    ".ims": f"is of Imaris; {BIO_FORMATS}",
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "is JPEG 2000; convert it to a tiled TIFF by vips tiffsave"),
    **dict.fromkeys((".bmp", ".gif", ".webp", ".heic", ".jxl", ".avif"), f"is a picture of no format read; {PICTURE}"),
}
"""Suffix to what the file is and what to do, a sentence without its subject and its full stop."""

MASQUERADING = {".vsi", ".mrxs"}
"""Suffixes of files that a library opens, and of which it shows something else than the slide."""


def converter(path) -> str:
    """Say what a file is that is not read, and by which program it can be converted.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        The end of a sentence; empty where the suffix is not known.
    """
    path = Path(path)
    if path.is_dir() and any((path / name).exists() for name in (".zattrs", ".zgroup", "zarr.json")):
        return FORMATS[".zarr"]
    return FORMATS.get(path.suffix.lower(), "")


def missing_folder(path) -> str:
    """Say where a MIRAX slide lacks the folder that holds its pixels.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        The end of a sentence; empty where nothing is missing.
    """
    path = Path(path)
    if path.suffix.lower() == ".mrxs" and not path.with_suffix("").is_dir():
        return f"is MIRAX without the folder {path.stem} beside it, which holds its pixels; copy that too"
    return ""

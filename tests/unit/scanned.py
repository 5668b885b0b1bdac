"""Slides that say which part of them was scanned: Leica's layout, which OpenSlide reads."""

import tifffile

NANOMETRES = 500


def write_scn(path, pixels, size, corner):
    """Write a slide of a size whose bounds are some pixels, laid at a corner."""
    (height, width), (across, down), (left, top) = pixels.shape[:2], size, corner
    description = f"""<?xml version="1.0"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">
<collection sizeX="{across * NANOMETRES}" sizeY="{down * NANOMETRES}"><barcode>a</barcode><image>
<device model="drawn" version="1"/>
<pixels sizeX="{width}" sizeY="{height}"><dimension sizeX="{width}" sizeY="{height}" r="0" ifd="0"/></pixels>
<view sizeX="{width * NANOMETRES}" sizeY="{height * NANOMETRES}"
offsetX="{left * NANOMETRES}" offsetY="{top * NANOMETRES}"/>
<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>
<illuminationSettings><illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>
</image></collection></scn>"""
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "jpeg", "compressionargs": {"level": 95}}
    tifffile.imwrite(path, pixels, bigtiff=True, description=description, metadata=None, **options)
    return path

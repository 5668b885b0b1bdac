"""What tests of batches share: pictures as slides, manifests of files that are there, and a job done twice."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from slidecaf.files.manifests import COLUMNS, file_of
from slidecaf.files.tables import read_tsv, write_tsv

LIMITS = {"max_megapixels": 100, "max_decoded_megapixels": 100}


def of(package, **settings):
    """Settings of a batch, with what every one has."""
    return {**settings, "revision": {package: 1}, "versions": {}}


def picture(path, pixels):
    """Write a slide, or a mask, as PNG."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path)
    return str(path)


def broken(path):
    """Write what is no picture."""
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    return str(path)


def manifest(path, files):
    """Write the manifest of files that are there: slide to path."""
    rows = [
        {"slide": slide, "file": os.path.relpath(one, Path(path).parent), "size": os.path.getsize(one)}
        | {"sha256": file_of(one).sha256}
        for slide, one in files.items()
    ]
    write_tsv(path, COLUMNS, rows)
    return path


def done_twice(job, path):
    """Do a job, and again as Snakemake does, which deletes the manifest: files that are there are left alone.

    Returns the slides that the manifest lists.
    """
    job()
    path = Path(path)
    listed = path.read_bytes()
    before = {one: one.stat().st_mtime_ns for one in path.parent.rglob("*") if one.is_file() and one.suffix != ".tsv"}
    before = {one: time for one, time in before.items() if not one.name.startswith((".batch-", ".shard-"))}
    path.unlink()
    job()
    assert {one: one.stat().st_mtime_ns for one in before} == before
    assert path.read_bytes() == listed
    return sorted({row["slide"] for row in read_tsv(path)})

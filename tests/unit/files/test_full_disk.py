"""Files that find no room, at any byte: a clear error, nothing left, and no crash, which HDF5 is prone to then."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from PIL import Image

from slidecaf.demo.files import _write_mask
from slidecaf.demo.pyramid import write_slide
from slidecaf.errors import SlidecafError
from slidecaf.features.file import write_features
from slidecaf.files.hdf5 import scratch
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.rasters import write_confidence, write_mask
from slidecaf.slides.thumbnail import write_jpeg
from tests.unit.files.test_checksums import KINDS, rng

CELLS = Cells(np.arange(31) * 96, np.arange(21) * 96)


def confidence(path):
    write_confidence(path, rng().normal(size=CELLS.shape).astype(np.float32), CELLS, attributes={}, mpp=None)


def mask(path):
    write_mask(path, rng().random(CELLS.shape) > 0.5, CELLS, attributes={}, mpp=None)


def overlay(path):
    write_jpeg(path, Image.fromarray(rng().integers(0, 255, (300, 300, 3), dtype=np.uint8)))


def slide(path):
    write_slide(path, rng().integers(0, 255, (600, 600, 3), dtype=np.uint8))


def png(path):
    _write_mask(path, rng().random((600, 600)) > 0.5)


WRITERS = {
    **{name: write for name, (write, _) in KINDS.items()},
    "confidence.tif": confidence,
    "mask.tif": mask,
    "overlay.jpg": overlay,
    "slide.tiff": slide,
    "mask.png": png,
}

SCRIPT = """
import json, resource, sys
from pathlib import Path
from slidecaf.errors import SlidecafError
from tests.unit.files.test_full_disk import WRITERS
path = Path(sys.argv[1])
write = WRITERS[path.name]
write(path)
size = path.stat().st_size
path.unlink()
said = []
for room in [0, 1, *range(512, size, max(512, size // 12)), size - 1]:
    # no file may grow beyond this: the system refuses the write, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        write(path)
        said.append("written")
    except SlidecafError as error:
        said.append(str(error))
    if any(".partial" in left.name or left == path for left in path.parent.iterdir()):
        said.append("left behind")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
write(path)
print(json.dumps(said))
"""


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_finds_no_room_at_any_byte_is_a_clear_error(name, tmp_path, repository, promise):
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", SCRIPT, path], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said) >= 3
    for error in said:
        assert error.startswith(f"{path} cannot be written: ")
        assert "free some space there" in error
    promise(
        "A file of any kind that finds no room, at any byte of it, is an error that names it; nothing is left behind, "
        "and no library crashes",
        provoked=len(said),
    )


def test_features_that_find_no_room_stop_the_network_at_once(tmp_path, monkeypatch):
    full = OSError(28, "No space left on device")
    rows = np.zeros((100, 8), np.float16)

    def write():
        coords = np.zeros((1000, 2))
        with write_features(tmp_path / "f.h5", coords, 8, coords_attributes={}, attributes={}) as writer:
            writer.append(rows, np.ones(100, bool))
            monkeypatch.setattr("os.pwrite", lambda *_: (_ for _ in ()).throw(full))
            writer.features.file.flush()
            writer.append(rows, np.ones(100, bool))
            raise AssertionError("the network went on")

    with pytest.raises(SlidecafError, match="no space left on device"):
        write()
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_rows_beyond_memory_take_their_room_before_the_first_is_written(tmp_path, monkeypatch):
    def fallocate(file, offset, size):
        raise OSError(28, "No space left on device")

    with scratch(tmp_path, 100) as room:
        rows = room((50, 8), np.float32)
        assert isinstance(rows, h5py.Dataset)
        rows[10:20] = np.ones((10, 8))
        assert rows[10:20].sum() == 80
        monkeypatch.setattr("os.posix_fallocate", fallocate)
        with pytest.raises(SlidecafError, match=r"GiB of rows .* no space left on device; free some space"):
            room((50, 8), np.float32)
    assert not list(tmp_path.iterdir())

"""Damage behind everybody's back, size and time restored, is named or changes nothing that is read."""

import os
import subprocess

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.file import open_features, write_features
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.files.versions import origin
from slidecaf.pooling.file import read_pooled, write_pooled
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import Truth, read_patch_labels, read_truth, write_labels
from slidecaf.segmentation.maps import read_confidences, read_map, write_confidences, write_maps
from slidecaf.segmentation.solver.patch_models import PatchModels, read_models, write_models
from slidecaf.tiles.file import read_tiles, write_tiles

FLIPS = 400
COORDS = np.stack(np.meshgrid(np.arange(30), np.arange(20)), -1).reshape(-1, 2) * 96
ORIGIN = origin({"tiles": 1}, weights_sha256="ab" * 32)


def rng():
    """Return a generator that starts anew, so that files and faults are the same in any order of tests."""
    return np.random.default_rng(20150419)


def features(path):
    values = np.maximum(rng().normal(size=(len(COORDS), 48)), 0).astype(np.float16)
    with write_features(
        path,
        COORDS,
        48,
        coords_attributes={"patch_size": 96, "name": "s", "status": "ok"},
        attributes={"encoder": "alexnet", "status": "ok", "config": "{}"},
        origin=ORIGIN,
    ) as writer:
        writer.append(values, np.arange(len(values)) % 7 > 0)


def read_features(path):
    with open_features(path) as file:
        said = [dict(file[name].attrs) for name in ("features", "coords")]
        return file["features"][:], file["coords"][:], file["valid"][:], np.array(repr(said))


def tiles(path):
    write_tiles(path, COORDS, {"patch_size": 96, "status": "ok"}, origin=ORIGIN)


def read_tiles_back(path):
    coords, attributes = read_tiles(path)
    return coords, np.array(repr(attributes))


def pooled(path):
    write_pooled(path, {"3": rng().random(200), "inf": rng().random(200)}, patches=3, status="ok", origin=ORIGIN)


def read_pooled_back(path):
    vectors, patches, status = read_pooled(path, ["3", "inf"])
    return vectors["3"], vectors["inf"], np.array([str(patches), status])


def maps(path):
    values = rng().normal(size=(2, 40, 60)).astype(np.float32)
    write_maps(path, [("fold-0", [0.1, 1.0], values), ("final", [0.1, 1.0], values)], status="ok", origin=ORIGIN)


def read_maps(path):
    return [read_map(path, part, C) for part in ("fold-0", "final") for C in (0.1, 1.0)]


def confidences(path):
    values = rng().normal(size=(2, 600)).astype(np.float32)
    write_confidences(path, {"plain": values, "hard": values + 1}, C=[0.1, 1.0], origin=ORIGIN)


def read_both(path):
    return [read_confidences(path, variant, C) for variant in ("plain", "hard") for C in (0.1, 1.0)]


def labels(path):
    cells = Cells(np.arange(31) * 96, np.arange(21) * 96)
    truth = Truth(cells, *(rng().integers(0, 9, cells.shape) for _ in range(3)))
    write_labels(path, truth, rng().random(600) > 0.5, status="ok", origin=ORIGIN)


def read_labels(path):
    truth = read_truth(path)
    counts = truth.necrosis, truth.hemorrhage, truth.both
    return read_patch_labels(path, 600), *counts, truth.cells.cuts_x, truth.cells.cuts_y


def models(path):
    model = PatchModels(rng().random((2, 48)), rng().random(2), False, np.ones(2, bool), 600, 90)
    write_models(path, [model, model], C=[0.1, 1.0], inner=[0, None], origin=ORIGIN)


def read_both_models(path):
    found = [read_models(path, inner) for inner in (0, None)]
    return [value for model, C in found for value in (model.coef, model.intercept, model.converged, np.array(C))]


def text(path):
    rows = [{"slide": f"s-{k}", "value": rng().random()} for k in range(30)]
    write_tsv(path, ["slide", "value"], rows)


def read_text(path):
    return [np.array(repr(read_tsv(path)))]


def json(path):
    write_json(path, {"chosen": {"C": 0.1, "keep": 100}, "left_out": ["a", "b"]})


def read_json_back(path):
    return [np.array(repr(read_json(path)))]


KINDS = {
    "features.h5": (features, read_features),
    "tiles.h5": (tiles, read_tiles_back),
    "pooled.h5": (pooled, read_pooled_back),
    "maps.h5": (maps, read_maps),
    "confidences.h5": (confidences, read_both),
    "labels.h5": (labels, read_labels),
    "model.h5": (models, read_both_models),
    "folds.tsv": (text, read_text),
    "choice.json": (json, read_json_back),
}


class Damaged:
    """A file that can be damaged again and again, and what is read of it."""

    def __init__(self, path, write, read):
        write(path)
        self.path, self._read, self.content = path, read, path.read_bytes()
        self._expected, self._stat = read(path), path.stat()
        self.noticed = self.unchanged = 0

    def read(self, content, *, sized=True):
        self.path.write_bytes(content)
        os.utime(self.path, ns=(self._stat.st_atime_ns, self._stat.st_mtime_ns))
        assert not sized or self.path.stat().st_size == self._stat.st_size
        try:
            found = self._read(self.path)
        except SlidecafError as error:
            self.noticed += str(self.path) in str(error) and "delete it and run again" in str(error)
        else:
            for one, other in zip(found, self._expected, strict=True):
                np.testing.assert_array_equal(one, other)
            self.unchanged += 1


@pytest.fixture(params=KINDS)
def damaged(request, tmp_path):
    return Damaged(tmp_path / request.param, *KINDS[request.param])


def test_a_flipped_bit_is_named_or_changes_nothing(damaged, promise):
    places = rng().permutation(8 * len(damaged.content))[:FLIPS]
    for place in places:
        content = bytearray(damaged.content)
        content[place // 8] ^= 1 << (place % 8)
        damaged.read(bytes(content))
    assert damaged.noticed + damaged.unchanged == len(places)
    # bits of a text, of a checksum and of packed values all count; the padding at a packed chunk's end does not
    assert damaged.noticed >= 0.95 * len(places)
    promise(
        "A flipped bit in a result file that a later job reads is noticed, or changes nothing that is read",
        provoked=len(places),
        survived=damaged.noticed + damaged.unchanged,
    )


def test_a_file_that_is_zeroed_in_part_or_cut_off_is_named_or_changes_nothing(damaged, promise):
    size, tried, draw = len(damaged.content), 0, rng()
    for start in draw.integers(0, size, 40):
        stop = int(draw.integers(start, size)) + 1
        for span in (slice(start, stop), slice(start, size), slice(0, stop)):
            content = bytearray(damaged.content)
            content[span] = bytes(len(content[span]))
            if content != damaged.content:
                damaged.read(bytes(content))
                tried += 1
    for length in [0, *draw.integers(0, size, 60), size - 1]:
        damaged.read(damaged.content[:length], sized=False)
        tried += 1
    assert damaged.noticed + damaged.unchanged == tried
    assert damaged.noticed >= 0.9 * tried
    promise(
        "A result file zeroed in part or cut off, its time restored, is noticed, or changes nothing that is read",
        provoked=tried,
        survived=damaged.noticed + damaged.unchanged,
    )


def test_a_file_with_its_checksum_is_read_by_stock_readers(tmp_path):
    features(tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5", "r") as file:
        assert set(file) == {"features", "coords", "valid"}
        assert file["features"].compression == "gzip"
        assert not file["features"].fletcher32
    text(tmp_path / "folds.tsv")
    compared = subprocess.run(["sha256sum", "-c", ".folds.tsv.sha256"], cwd=tmp_path, capture_output=True, text=True)
    assert compared.stdout == "folds.tsv: OK\n"


def test_every_hdf5_file_says_how_it_was_made(tmp_path):
    for name, (write, _) in KINDS.items():
        if name.endswith(".h5"):
            write(tmp_path / name)
            with h5py.File(tmp_path / name) as file:
                assert dict(file.attrs).items() >= ORIGIN.items()


def test_a_file_without_a_checksum_is_read_and_the_log_says_so(tmp_path, caplog):
    for name, write, read in (("t.h5", tiles, read_tiles_back), ("t.tsv", text, read_text)):
        path = tmp_path / name
        write(path)
        expected = read(path)
        if name == "t.h5":
            with h5py.File(path, "r+"):
                pass  # HDF5 cuts off what stands behind its end
        else:
            (tmp_path / ".t.tsv.sha256").unlink()
        for one, other in zip(read(path), expected, strict=True):
            np.testing.assert_array_equal(one, other)
        assert f"{path} has no checksum" in caplog.text

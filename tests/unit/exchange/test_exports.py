"""Exports, read as the code of CLAM, TRIDENT and STAMP reads them (docs/formats.md says which commits)."""

import csv
import os

import h5py
import numpy as np
import pytest
import torch

from slidecaf.errors import SlidecafError
from slidecaf.exchange.clam import write_clam
from slidecaf.exchange.export import extracted_slides
from slidecaf.exchange.stamp import write_stamp
from slidecaf.exchange.trident import write_trident
from slidecaf.study.checked import Study
from slidecaf.study.config import check_config


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def clam_bag(folder, slide):
    """What CLAM's dataset hands its network: the .pt file, or the HDF5 file with ``load_from_h5``."""
    with h5py.File(folder / "h5_files" / f"{slide}.h5", "r") as file:
        from_h5 = torch.from_numpy(file["features"][:]), file["coords"][:]
    return torch.load(folder / "pt_files" / f"{slide}.pt", weights_only=True), *from_h5


def test_clam_trains_on_the_files(slides, written, tmp_path):
    assert list(write_clam(slides, tmp_path / "clam")) == list(written)
    network = torch.nn.Linear(12, 2)  # its first layer, in 32 bit
    for slide, (features, coords, valid) in written.items():
        bag, same, places = clam_bag(tmp_path / "clam", slide)
        assert bag.dtype == torch.float32
        assert network(bag).shape == (valid.sum(), 2)
        np.testing.assert_array_equal(bag.numpy(), features[valid].astype(np.float32))
        assert torch.equal(bag, same)
        np.testing.assert_array_equal(places, coords[valid])


def test_clam_reads_patches_at_level_0(slides, written, tmp_path):
    list(write_clam(slides, tmp_path / "clam"))
    with h5py.File(tmp_path / "clam/patches/a-2.h5", "r") as file:
        described = file["coords"].attrs
        # as its dataset of patches asks OpenSlide for them: read_region(coord, patch_level, (patch_size, patch_size))
        assert (described["patch_level"], described["patch_size"]) == (0, 512)
        assert len(file["coords"]) == 4
        wanted = {"downsample", "downsampled_level_dim", "level_dim", "name", "save_path"}
        assert wanted <= set(described)


def test_clams_table_has_the_slides_with_a_label(slides, tmp_path):
    list(write_clam(slides, tmp_path / "clam"))
    assert table(tmp_path / "clam/dataset.csv") == [
        {"case_id": "p1", "slide_id": "a-1", "label": "GBM", "split": "train"},
        {"case_id": "p2", "slide_id": "a-2", "label": "LGG", "split": "train"},
    ]


def test_trident_encodes_slides_from_the_files(slides, written, tmp_path):
    assert list(write_trident(slides, tmp_path / "job", name="cnn")) == list(written)
    top = tmp_path / "job/10x_256px_64px_overlap"
    for slide, (features, coords, valid) in written.items():
        with h5py.File(top / "features_cnn" / f"{slide}.h5", "r") as file:
            batch = torch.from_numpy(file["features"][:]).float().unsqueeze(0)
            places, said = torch.from_numpy(file["coords"][:]), dict(file["coords"].attrs)
        np.testing.assert_array_equal(batch[0].numpy(), features[valid].astype(np.float32))
        np.testing.assert_array_equal(places.numpy(), coords[valid])
        assert said["patch_size_level0"] == 512  # what its slide encoders take
        with h5py.File(top / "patches" / f"{slide}_patches.h5", "r") as file:
            said, places = dict(file["coords"].attrs), file["coords"][:]
        np.testing.assert_array_equal(places, coords[valid])
        wanted = {"patch_size": 256, "level0_magnification": 20, "target_magnification": 10, "overlap": 64}
        wanted |= {"level0_width": 5000, "level0_height": 4000, "name": slide}
        assert wanted.items() <= said.items()


def test_trident_gets_links_where_all_patches_are_valid_and_copies_where_asked(slides, written, tmp_path):
    list(write_trident(slides, tmp_path / "job", name="cnn"))
    top = tmp_path / "job/10x_256px_64px_overlap/features_cnn"
    assert [(top / f"{slide}.h5").is_symlink() for slide in written] == [True, False, True]
    assert not os.path.isabs(os.readlink(top / "a-1.h5"))
    list(write_trident(slides, tmp_path / "job", name="cnn", copy=True))  # over what is there
    assert not (top / "a-1.h5").is_symlink()
    with h5py.File(top / "a-1.h5") as file:
        assert file["features"].shape == (5, 12)


def test_without_a_magnification_trident_asks_the_slide(study, tmp_path, write):
    write("a-1", mpp=np.nan)
    slides, _ = extracted_slides(study, tmp_path, "cnn")
    list(write_trident(slides, tmp_path / "job", name="cnn"))
    with h5py.File(tmp_path / "job/256px_64px_overlap/patches/a-1_patches.h5") as file:
        said = dict(file["coords"].attrs)
    assert {"level0_magnification", "target_magnification"}.isdisjoint(said)
    # its older way to read coordinates then takes these two
    assert (said["patch_level"], said["patch_size"]) == (0, 512)


def stamp_coords(file):
    """What STAMP makes of a file's coordinates: micrometres, and the size of a tile in both units."""
    size = file.attrs.get("tile_size_um")
    assert size
    assert file.attrs["unit"] == "um"
    assert file.attrs.get("stamp_version") is None  # it refuses versions above its own
    return file["coords"][:], float(size), int(file.attrs["tile_size_px"])


def test_stamp_trains_on_the_files(slides, written, tmp_path):
    assert list(write_stamp(slides, tmp_path / "stamp", name="cnn")) == list(written)
    for slide, (features, coords, valid) in written.items():
        with h5py.File(tmp_path / "stamp/cnn" / f"{slide}.h5", "r") as file:
            bag = torch.from_numpy(file["feats"][:]).float()
            places, size_um, size_px = stamp_coords(file)
            assert file.attrs["feat_type"] == "tile"
            assert file.attrs["extractor"] == "cnn"
        np.testing.assert_array_equal(bag.numpy(), features[valid].astype(np.float32))
        assert places.dtype == np.float32
        np.testing.assert_allclose(places, coords[valid] * 0.5)
        assert (size_um, size_px) == (256.0, 256)
        assert size_um / size_px == 1.0  # the micrometres a pixel at which the patches were read
    files = table(tmp_path / "stamp/slide_table.csv")
    assert files[0] == {"PATIENT": "p1", "FILENAME": "a-1.h5"}
    assert all((tmp_path / "stamp/cnn" / row["FILENAME"]).is_file() for row in files)
    assert table(tmp_path / "stamp/clini_table.csv") == [
        {"PATIENT": "p1", "label": "GBM", "split": "train"},
        {"PATIENT": "p2", "label": "LGG", "split": "train"},
    ]


def test_stamp_needs_micrometres_and_one_label_a_patient(slides, tmp_path, write):
    write("a-1", mpp=np.nan)
    with pytest.raises(SlidecafError, match=r"slide a-1: its micrometres a pixel.*column mpp"):
        list(write_stamp(slides, tmp_path / "stamp", name="cnn"))
    for slide in slides:
        object.__setattr__(slide.row, "patient", "p1")
    with pytest.raises(SlidecafError, match="patient p1 has slides of GBM and LGG"):
        list(write_stamp(slides, tmp_path / "stamp", name="cnn"))


def test_slides_without_features_are_named_and_left_out(study, tmp_path, write):
    write("a-1")
    write("a-2", count=0, status="no tissue")
    slides, left_out = extracted_slides(study, tmp_path, "cnn")
    assert [slide.row.slide for slide in slides] == ["a-1"]
    assert left_out == {"a-2": "no tissue", "a-3": "no features file"}


def test_an_unknown_feature_set_or_a_study_not_yet_run_is_an_error(study, tmp_path):
    with pytest.raises(SlidecafError, match=r"no feature set 'cmm'; write one of: cnn"):
        extracted_slides(study, tmp_path, "cmm")
    with pytest.raises(SlidecafError, match="run the study first"):
        extracted_slides(study, tmp_path, "cnn")


@pytest.mark.parametrize("kind", ["clam", "trident", "stamp"])
def test_written_twice_the_bytes_are_equal(slides, tmp_path, kind):
    write_one = {
        "clam": lambda to: write_clam(slides, to),
        "trident": lambda to: write_trident(slides, to, name="cnn", copy=True),
        "stamp": lambda to: write_stamp(slides, to, name="cnn"),
    }[kind]
    found = []
    for name in ("first", "second"):
        list(write_one(tmp_path / name))
        top = tmp_path / name
        found.append({path.relative_to(top): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()})
    assert found[0] == found[1]


def test_whole_slides_are_not_exported(tmp_path):
    whole = {"tiling": "whole", "encoder": {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}}
    config = {"features": {"whole": whole}}
    with pytest.raises(SlidecafError, match=r"features\.whole: tiling: whole gives one vector a slide, and CLAM"):
        extracted_slides(Study(check_config(config), [], [], []), tmp_path, "whole")

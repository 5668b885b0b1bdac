"""Files of TRIDENT and CLAM, with random features, as a feature set: what is taken, and what is refused."""

import h5py
import numpy as np
import pytest
import yaml

from slidecaf.errors import InputErrors, SlidecafError, SlideError
from slidecaf.exchange.adopt import check_set, features_folder, name_in_config
from slidecaf.exchange.reading import check_length, describe_set, read_features, read_patches, tiles_attributes
from slidecaf.study.imported import Source, find_sources
from slidecaf.study.sheets import Row

COORDS = np.array([[512, 0], [0, 512], [0, 0], [1024, 512]])  # by columns, as TRIDENT scans


class FakeSlide:
    """What is asked of a slide here."""

    name, path, width, height, mpp, magnification = "a-1", "a-1.svs", 1500, 1000, 0.25, 40.0
    bounds = (0, 0, 1500, 1000)


def features_of(count, dimension=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def trident(path, *, coords=COORDS, features=None, **changed):
    """As trident/IO.py's save_h5 is called by WSI.py: features of 32 bit, attributes on coords."""
    features = features_of(len(coords)) if features is None else features
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {
        "patch_size": 256,
        "patch_size_level0": 512,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 0,
        "level0_width": 1500,
        "level0_height": 1000,
        "name": path.stem,
        "savetodir": "20x_256px_0px_overlap",
    } | changed
    with h5py.File(path, "w") as file:
        kept = file.create_dataset("features", data=features, maxshape=(None, *features.shape[1:]))
        kept.attrs["encoder"] = "uni_v1"
        file.create_dataset("coords", data=coords)
        for key, value in said.items():
            if value is not None:
                file["coords"].attrs[key] = value
    return Source(path)


def clam(folder, *, coords=COORDS, level=1):
    """As extract_features_fp.py leaves them: no attributes beside the features, coordinates in a file of their own."""
    for part in ("h5_files", "patches"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "h5_files/a-1.h5", "w") as file:
        file["features"], file["coords"] = features_of(len(coords)), coords.astype(np.int32)
    with h5py.File(folder / "patches/a-1.h5", "w") as file:
        file["coords"] = coords
        said = {
            "patch_size": 128,
            "patch_level": level,
            "downsample": (4.0, 4.0),
            "name": "a-1",
            "save_path": "patches",
        }
        file["coords"].attrs.update(said)
    return Source(folder / "h5_files/a-1.h5", folder / "patches/a-1.h5")


def rows(*slides):
    return [
        Row(number, slide, f"slides/{slide}-scan.svs", "p", "train", None, None)
        for number, slide in enumerate(slides, 2)
    ]


def test_patches_of_trident_come_sorted_with_their_own_features(tmp_path):
    source = trident(tmp_path / "a-1.h5")
    patches = read_patches(source, FakeSlide, kind="trident")
    assert patches.coords.tolist() == [[0, 0], [512, 0], [0, 512], [1024, 512]]
    assert (patches.dimension, patches.encoder) == (6, "uni_v1")
    expected = features_of(4)[[2, 0, 1, 3]].astype(np.float16)
    np.testing.assert_array_equal(read_features(source, patches, name="a-1"), expected)
    said = tiles_attributes(FakeSlide, patches)
    wanted = {"patch_size": 256, "patch_size_level0": 512, "stride": 256, "stride_level0": 512, "regular": True}
    wanted |= {"target_magnification": 20, "level0_mpp": 0.25, "level0_width": 1500}
    assert wanted.items() <= said.items()


def test_the_overlap_makes_the_stride(tmp_path):
    source = trident(tmp_path / "a-1.h5", coords=np.array([[0, 0], [384, 0]]), overlap=64)
    said = tiles_attributes(FakeSlide, read_patches(source, FakeSlide, kind="trident"))
    assert (said["stride"], said["stride_level0"], said["overlap"], said["regular"]) == (192, 384, 64, True)


def test_files_of_older_trident_without_the_size_at_level_0_will_do(tmp_path):
    source = trident(tmp_path / "a-1.h5", patch_size_level0=None, level0_width=None, level0_height=None)
    assert read_patches(source, FakeSlide, kind="trident").patch_size_level0 == 512


def test_clams_coordinates_say_how_large_a_patch_is(tmp_path):
    source = clam(tmp_path)
    patches = read_patches(source, FakeSlide, kind="clam")
    assert (patches.patch_size, patches.patch_size_level0, patches.overlap) == (128, 512, None)
    expected = features_of(4)[[2, 0, 1, 3]].astype(np.float16)
    np.testing.assert_array_equal(read_features(source, patches, name="a-1"), expected)


def test_patches_off_one_grid_are_told(tmp_path):
    source = clam(tmp_path, coords=COORDS + np.array([[0, 0], [7, 7], [0, 0], [0, 0]]))
    assert not tiles_attributes(FakeSlide, read_patches(source, FakeSlide, kind="clam"))["regular"]


def test_a_slide_without_patches_is_no_error(tmp_path):
    source = trident(tmp_path / "a-1.h5", coords=np.empty((0, 2), int))
    patches = read_patches(source, FakeSlide, kind="trident")
    assert read_features(source, patches, name="a-1").shape == (0, 6)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"coords": COORDS + np.array([1000, 0])},
            r"patch at \(1512, 0\), outside the slide's 1500 x 1000 px; give the slide",
        ),
        ({"coords": COORDS - 1}, r"patch at \(511, -1\), outside"),
        ({"level0_width": 3000}, "a width of 3000 px, and a-1.svs has 1500"),
        ({"patch_size": None}, "no attribute 'patch_size'"),
        ({"patch_size_level0": None, "target_magnification": None}, "no attribute 'target_magnification'"),
        ({"features": features_of(3)}, r"shape \(3, 6\) and coords of shape \(4, 2\); one row a patch"),
        ({"features": features_of(4)[0]}, r"shape \(6,\)"),
    ],
)
def test_what_does_not_belong_to_the_slide_is_refused(tmp_path, changed, said):
    source = trident(tmp_path / "a-1.h5", **changed)
    with pytest.raises(SlideError, match=said) as caught:
        read_patches(source, FakeSlide, kind="trident")
    assert str(caught.value).startswith(f"slide a-1: {source.features}")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_values_that_are_no_numbers_or_do_not_fit_are_refused_with_their_row(tmp_path, value):
    features = features_of(4)
    features[3, 2] = value
    source = trident(tmp_path / "a-1.h5", features=features)
    patches = read_patches(source, FakeSlide, kind="trident")
    with pytest.raises(SlideError, match="row 3 of features is NaN, infinite or beyond 65504"):
        read_features(source, patches, name="a-1")


def test_a_damaged_file_is_an_error_with_its_name(tmp_path):
    (tmp_path / "a-1.h5").write_bytes(b"no HDF5")
    with pytest.raises(SlideError, match=r"slide a-1: .*a-1.h5 is (missing|damaged)"):
        read_patches(Source(tmp_path / "a-1.h5"), FakeSlide, kind="trident")


def test_files_are_found_by_the_slides_id_or_its_files_name(tmp_path):
    settings = {"format": "trident", "folder": str(tmp_path), "patches": None}
    trident(tmp_path / "a-1.h5")
    trident(tmp_path / "a-2-scan.h5")
    sources, problems = find_sources(settings, rows("a-1", "a-2"))
    assert [source.features.name for source in sources.values()] == ["a-1.h5", "a-2-scan.h5"]
    assert problems == []


def test_missing_files_and_files_of_two_slides_are_named(tmp_path):
    settings = {"format": "trident", "folder": str(tmp_path), "patches": None}
    trident(tmp_path / "scan.h5")
    listed = [Row(k, slide, f"{slide}/scan.svs", "p", "train", None, None) for k, slide in enumerate(("a-1", "a-2"), 2)]
    _, problems = find_sources(settings, [*listed, *rows("a-3")])
    assert len(problems) == 2
    assert "slide a-2" in problems[0]
    assert "is that of slide a-1 too" in problems[0]
    assert "a-3.h5 or a-3-scan.h5" in problems[1]


def test_clam_needs_both_files_of_a_slide(tmp_path):
    clam(tmp_path)
    settings = {"format": "clam", "folder": str(tmp_path), "patches": None}
    assert find_sources(settings, rows("a-1"))[1] == []
    (tmp_path / "patches/a-1.h5").unlink()
    assert "patches/a-1.h5" in find_sources(settings, rows("a-1"))[1][0]


def test_vectors_of_two_lengths_are_no_feature_set(tmp_path):
    one, two = trident(tmp_path / "a-1.h5"), trident(tmp_path / "a-2.h5", features=features_of(4, 7))
    assert describe_set({"a-1": one}, folder="x") == {"dimension": 6, "encoder": "uni_v1"}
    with pytest.raises(SlidecafError, match=r"slide a-2: .* has 7 values a patch, and .*a-1.h5 has 6"):
        describe_set({"a-1": one, "a-2": two}, folder="x")
    patches = read_patches(two, FakeSlide, kind="trident")
    with pytest.raises(SlidecafError, match="take one encoder for all slides"):
        check_length(patches, two, one, name="a-2")
    check_length(patches, two, two, name="a-2")
    check_length(patches, two, Source(tmp_path / "a-3.h5"), name="a-2")  # its own job says that it is missing
    with pytest.raises(SlidecafError, match="of no slide"):
        describe_set({"a-3": Source(tmp_path / "a-3.h5")}, folder="x")


def test_the_folder_of_a_job_is_narrowed_down_to_its_features(tmp_path):
    with pytest.raises(SlidecafError, match=r"has no features_\*"):
        features_folder(tmp_path, "trident")
    trident(tmp_path / "20x_256px_0px_overlap/features_uni_v1/a-1.h5")
    for start in (".", "20x_256px_0px_overlap", "20x_256px_0px_overlap/features_uni_v1"):
        assert features_folder(tmp_path / start, "trident").name == "features_uni_v1"
    trident(tmp_path / "20x_256px_0px_overlap/features_conch_v1/a-1.h5")
    with pytest.raises(SlidecafError, match=r"has several: .*features_conch_v1.*give one"):
        features_folder(tmp_path, "trident")
    with pytest.raises(SlidecafError, match="no folder h5_files"):
        features_folder(tmp_path, "clam")


def test_every_file_is_read_and_all_that_is_wrong_is_said_at_once(tmp_path):
    settings = {"format": "trident", "folder": str(tmp_path), "patches": None}
    for slide in ("a-1", "a-2"):
        trident(tmp_path / f"{slide}.h5")  # the slides themselves are missing
    with pytest.raises(InputErrors) as caught:
        check_set(settings, rows("a-1", "a-2"), exclude=False, advance=lambda count: None)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["slide a-1", "slide a-2"]


def test_a_feature_set_is_put_into_the_config_and_the_comments_stay(tmp_path):
    text = (
        "results: results  # there\nfeatures:   # sets\n  # the first\n  cnn:\n    tiling: {patch_size: 3}\nseed: 0\n"
    )
    path = tmp_path / "config.yaml"
    path.write_text(text)
    settings = {"format": "trident", "folder": "jobs/feats: odd, #1", "patches": None}
    assert name_in_config(path, "uni", settings)
    assert [line for line in path.read_text().splitlines() if line not in text.splitlines()] == [
        "  uni: {kind: imported, format: trident, folder: 'jobs/feats: odd, #1'}"
    ]
    assert yaml.safe_load(path.read_text())["features"]["uni"]["folder"] == settings["folder"]
    assert not name_in_config(path, "uni", settings)  # it stands there already
    for name, other in (("cnn", settings), ("uni", settings | {"folder": "elsewhere"})):
        with pytest.raises(SlidecafError, match=f"has a feature set '{name}' already"):
            name_in_config(path, name, other)


LAYOUTS = {
    "in braces": "features: {cnn: {tiling: {patch_size: 3, mpp: null}}}\n",
    "no feature sets": "seed: 0  # drawn\n",
    "four columns": "features:\n    cnn:\n        tiling: {patch_size: 3}  # px\nlist:\n    C:\n    - 1\n    - 0.10\n",
    "shifted lists": "features:\n\n  # one\n  cnn:\n    C:\n      - 1\n      - 0.10\n    text: 'a'\n    none: null\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_config_laid_out_otherwise_keeps_its_layout(tmp_path, layout):
    text, path = LAYOUTS[layout], tmp_path / "config.yaml"
    path.write_text(text)
    assert name_in_config(path, "uni", {"format": "clam", "folder": "f", "patches": "p"})
    written, entry = path.read_text(), {"kind": "imported", "format": "clam", "folder": "f", "patches": "p"}
    before = yaml.safe_load(text)
    assert yaml.safe_load(written) == {**before, "features": {"uni": entry, **before.get("features", {})}}
    assert all(line in written.splitlines() for line in text.splitlines()) or layout == "in braces"


def test_a_config_that_cannot_be_changed_is_left_alone_and_the_line_is_given(tmp_path):
    path, text = tmp_path / "config.yaml", "features: &sets {cnn: {tiling: {patch_size: 3}}}\nother: *sets\n"
    path.write_text(text)
    with pytest.raises(SlidecafError, match=r"by hand:\n  uni: {kind: imported, format: trident, folder: f}"):
        name_in_config(path, "uni", {"format": "trident", "folder": "f", "patches": None})
    assert path.read_text() == text

"""Maps of membership: places where they belong, and figures against masks."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.class_maps import GAP, area_under_curve, draw, read_mask, write_map_scores
from slidecaf.classification.classifier import fit_classifier
from slidecaf.classification.fisher.encoded import encode
from slidecaf.classification.fisher.maps import draw_maps, spread
from slidecaf.classification.fisher.mixtures import fit_mixtures
from slidecaf.errors import SlidecafError
from slidecaf.files.manifests import COLUMNS
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.study.config import classification_method


def places(side, size):
    step = size / side
    return np.array([[x * step, y * step, step, step] for y in range(side) for x in range(side)], np.float32)


def test_places_cover_their_part_of_the_image():
    values = np.arange(4.0)
    found = spread(values, places(2, 100), np.ones(4), (100, 100), (10, 10))
    assert found.tolist() == np.kron(values.reshape(2, 2), np.ones((5, 5))).tolist()


def test_scales_are_averaged_and_overlapping_patches_too():
    coarse, fine = places(1, 90), places(3, 90)
    boxes, scales = np.vstack([coarse, fine]), np.array([0.5] + [1] * 9)
    found = spread(np.array([10.0, *range(9)]), boxes, scales, (90, 90), (9, 9))
    np.testing.assert_allclose(found, np.kron((10 + np.arange(9.0).reshape(3, 3)) / 2, np.ones((3, 3))))
    patches = np.array([[0, 0, 60, 90], [30, 0, 60, 90]], np.float32)
    found = spread(np.array([1.0, 3.0]), patches, np.ones(2), (90, 90), (3, 3))
    assert found[0].tolist() == [1, 2, 3]


def test_what_no_place_covers_is_no_number_and_counts_nowhere():
    found = spread(np.array([2.0]), np.array([[0, 0, 50, 100]], np.float32), np.ones(1), (100, 100), (4, 4))
    assert np.isnan(found[:, 2:]).all()
    mask = np.array([[True, False, True, True]] * 4)
    assert area_under_curve(found, mask) == 0.5
    assert area_under_curve(found, np.ones((4, 4), bool)) is None


def test_the_area_is_that_of_pairs_of_pixels():
    generator = np.random.default_rng(0)
    values, mask = generator.normal(size=(5, 6)), generator.random((5, 6)) > 0.5
    pairs = [(a > b) + (a == b) / 2 for a in values[mask] for b in values[~mask]]
    assert area_under_curve(values, mask) == pytest.approx(np.mean(pairs))


def test_a_drawing_has_the_picture_the_memberships_and_what_is_foreground():
    picture = np.full((6, 8, 3), 200, np.uint8)
    values = np.zeros((6, 8))
    values[:, :4] = 3
    values[5] = np.nan
    drawn = np.asarray(draw(picture, values, 1.0))
    assert drawn.shape == (6, 3 * 8 + 2 * GAP, 3)
    original, over, kept = (drawn[:, start : start + 8] for start in (0, 8 + GAP, 2 * (8 + GAP)))
    assert (original == picture).all()
    assert (over[5] == picture[5]).all()
    assert over[0, 0].tolist() != over[0, 7].tolist()
    assert (kept[:5, :4] == 200).all()
    assert (kept[:, 4:] > 240).all()


def test_a_mask_of_another_size_or_none_is_an_error(tmp_path):
    Image.fromarray(np.full((20, 40), 7, np.uint8)).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", (40, 20), (5, 10), slide="a").all()
    with pytest.raises(
        SlidecafError, match=r"of slide 'a', .*mask.png, has 40 x 20 px and its image 20 x 40; make them equal"
    ):
        read_mask(tmp_path / "mask.png", (20, 40), (10, 5), slide="a")
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(SlidecafError, match=r"mask.png, cannot be read"):
        read_mask(tmp_path / "mask.png", (40, 20), (5, 10), slide="a")


def test_slides_are_drawn_by_the_model_that_never_saw_them_and_again_only_where_something_changed(part, tmp_path):
    made = manifest(part)
    settings = classification_method(
        {"features": ["places"], "fisher": {"kind": "ffv", "pca": None, "components": 2}, "keep": ["all"], "C": [1]}
    )
    assert settings.maps
    files = {name: part.folder / f"{name}.json" for name in ("choice", "model")}
    common = {"features": part.features, "folds": part.folds, "part": "fold-0"}
    books = {"features": ["places"], "pca": [None], "components": [2], "steps": 1}
    learned = {"rows": part.rows, "classes": ["a", "b"], "inner_folds": 3, "seed": 0}
    fit_mixtures(part.folder / "mixtures.h5", codebooks=books, **learned, **common)
    encode(
        part.folder / "training.h5",
        mixtures=part.folder / "mixtures.h5",
        rows="training",
        codebooks=books,
        kinds=["fisher"],
        **common,
    )
    fit_classifier(
        **files,
        selection=part.folder / "selection.tsv",
        inner=part.folder / "inner.tsv",
        vectors=part.folder / "training.h5",
        settings=settings,
        folds=part.folds,
        part="fold-0",
        **learned,
    )
    lesion = np.zeros((256, 256), np.uint8)
    lesion[:64] = 255  # the places that show the class
    Image.fromarray(lesion).save(tmp_path / "mask.png")
    Image.fromarray(np.full((256, 256, 3), 90, np.uint8)).save(tmp_path / "image.png")
    slides = {slide: {"digest": "d", "scene": "", "mask": ""} for slide in sorted(part.held_out)}

    def run():
        draw_maps(
            part.folder / "maps/batch-0.tsv",
            slides,
            {"revision": {}, "versions": {}},
            features={"places": [made]},
            folds=part.folds,
            models={"fold-0": files["model"]},
            mixtures={"fold-0": part.folder / "mixtures.h5"},
            paths=dict.fromkeys(slides, tmp_path / "image.png"),
            masks={slide: tmp_path / "mask.png" if slide == "a-09" else "" for slide in slides},
            limits={"max_megapixels": 100, "max_decoded_megapixels": 100},
            on_bad_slide="fail",
        )

    run()
    table = part.folder / "maps.tsv"
    write_map_scores(table, [part.folder / "maps/batch-0.tsv"], folds=part.folds, splits=dict.fromkeys(slides, "train"))
    rows = {row["slide"]: row for row in read_tsv(table)}
    assert rows.keys() == part.held_out
    assert {row["fold"] for row in rows.values()} == {"0"}
    assert [slide for slide, row in rows.items() if row["auc"]] == ["a-09"]
    assert abs(float(rows["a-09"]["auc"]) - 0.5) > 0.1  # the components tell the class's places from the others
    drawn = {path: path.stat().st_mtime_ns for path in (part.folder / "maps").glob("*.png")}
    (part.folder / "maps/batch-0.tsv").unlink()
    slides["b-10"]["digest"] = "another"
    run()
    assert [path.name for path, time in drawn.items() if path.stat().st_mtime_ns != time] == ["b-10.png"]


def manifest(part):
    """Return the manifest of the shard, in a folder that is called as its feature set."""
    shard = part.folder / "places/shard-0.h5"
    shard.parent.mkdir()
    (part.folder / "shard-0.h5").rename(shard)
    part.features = {"places": dict.fromkeys(part.features["places"], shard)}
    content = shard.read_bytes()
    known = {"file": shard.name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_tsv(shard.with_suffix(".tsv"), COLUMNS, [{"slide": slide, **known} for slide in part.features["places"]])
    return shard.with_suffix(".tsv")

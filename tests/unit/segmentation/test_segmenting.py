"""Map, mask, overlay and score of a batch of slides."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.features.file import write_features
from slidecaf.files.tables import read_json, read_tsv, write_json
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import count_masks, patch_labels, write_labels
from slidecaf.segmentation.maps import write_confidences, write_maps
from slidecaf.segmentation.rasters import read_attributes, read_cells
from slidecaf.segmentation.segmenting import segment_slides
from slidecaf.segmentation.solver.patch_models import PatchModels, write_models
from slidecaf.tiles.file import read_tiles, write_tiles
from tests.unit.batch_jobs import broken, done_twice, manifest, of, picture

WIDTH, HEIGHT, SIDE = 96, 64, 32
COORDS = np.array([[x, y] for y in (0, 32) for x in (0, 32, 64)])
CELLS = Cells.of_patches(COORDS, SIDE, WIDTH, HEIGHT, stride=32.0)
VALUES = np.array([[1.0, -1.0, 0.5], [1.0, -1.0, -0.5]], np.float32)  # a value a patch, and a patch a cell
TRUTH = np.array([[1, 0, 0], [1, 0, 0]], bool)
CHOSEN = {"C": 1.0, "smooth": 0, "threshold": 0.0, "min_object": 0, "max_hole": 0}
MANIFEST = "results/segmentation/m/plain/batch-0.tsv"
KINDS = {"confidence": "tif", "mask": "tif", "overlay": "jpg", "score": "json"}


class Study:
    """Slides of which `a` is mapped, `t` is judged, `u` has features, and `bad` cannot be read."""

    def __init__(self):
        pixels = np.full((HEIGHT, WIDTH, 3), 180, np.uint8)
        mask = picture("mask.png", np.kron(TRUTH, np.ones((SIDE, SIDE))).astype(np.uint8) * 255)
        self.paths = {slide: picture(f"{slide}.png", pixels) for slide in "atu"} | {"bad": broken("bad.png")}
        self.masks = {slide: {"number": 2, "mask": mask if slide in ("a", "bad") else ""} for slide in self.paths}
        self.parts = {"a": "fold-1", "t": "final", "u": "final", "bad": "fold-1"}
        known = {"level0_width": WIDTH, "level0_height": HEIGHT, "patch_size_level0": SIDE, "patch_size": SIDE}
        known |= {"stride": SIDE, "stride_level0": float(SIDE), "level0_mpp": 0.5}
        for slide in "atu":
            write_tiles(f"tiles/{slide}.h5", COORDS, {**known, "status": "ok"})
        write_tiles("tiles/bad.h5", COORDS[:0], {"status": "unreadable"})
        truth = count_masks(CELLS, [np.kron(TRUTH, np.ones((SIDE, SIDE), bool))])
        write_labels("labels/a.h5", truth, patch_labels(truth, COORDS, SIDE), status="ok")
        write_labels("labels/bad.h5", None, [], status="unreadable")
        write_maps("maps/a.h5", [("fold-1", [1.0], [VALUES])], status="ok")
        write_maps("maps/bad.h5", [], status="unreadable")
        write_confidences("judged/t.h5", {"plain": VALUES.reshape(1, -1)}, C=[1.0])
        said = {"status": "ok", "weights_sha256": "0"}
        with write_features("features/u.h5", COORDS, 1, coords_attributes={}, attributes=said) as writer:
            writer.append(VALUES.reshape(-1, 1).astype(np.float16), np.ones(6, bool))
        model = PatchModels(np.ones((1, 1)), np.zeros(1), False, np.ones(1, bool), 6, 3)
        write_models("model.h5", [model], C=[1.0], inner=[None])
        for part in ("fold-1", "final"):
            write_json(f"{part}/choice.json", {"chosen": CHOSEN})

    def segment(self, slides):
        of_kind = {
            kind: [manifest(f"{kind}/batch-0.tsv", {one: f"{kind}/{one}.h5" for one in slides if one in own})]
            for kind, own in {"tiles": self.paths, "labels": ("a", "bad"), "maps": ("a", "bad"), "judged": "t"}.items()
        }
        features = [manifest("features/batch-0.tsv", {"u": "features/u.h5"})] if "u" in slides else []
        own = {
            slide: {"part": self.parts[slide], "digest": slide, "mpp": 0.5, "scene": "", "masks": {}}
            for slide in slides
        }
        segment_slides(
            MANIFEST,
            own,
            of("segmentation", mask_value=None, caveats=["drawn, no tissue"]),
            variant="plain",
            tiles=of_kind["tiles"][0],
            choices={part: f"{part}/choice.json" for part in ("fold-1", "final")},
            labels=of_kind["labels"],
            maps=of_kind["maps"],
            judged=of_kind["judged"],
            features=features,
            model="model.h5" if features else None,
            paths=self.paths,
            masks=self.masks,
        )


def made(slide, kind):
    return f"results/segmentation/m/plain/{kind}/{slide}.{KINDS[kind]}"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Study()


def test_every_slide_is_mapped_from_what_there_is_of_it(study):
    slides = ("a", "t", "u")
    assert done_twice(lambda: study.segment(slides), MANIFEST) == list(slides)
    for slide in slides:
        np.testing.assert_allclose(read_cells(made(slide, "confidence"), CELLS), VALUES, atol=1e-6)
        np.testing.assert_array_equal(read_cells(made(slide, "mask"), CELLS) > 0, VALUES > 0)
        said = read_attributes(made(slide, "mask"))
        assert (said["model"], said["status"]) == (study.parts[slide], "ok")
    files = {row["file"] for row in read_tsv(MANIFEST)}
    assert files == {f"{kind}/{slide}.{suffix}" for slide in slides for kind, suffix in KINDS.items()}


def test_a_slide_is_scored_where_it_has_a_mask(study):
    study.segment("at")
    found, true, hit = 3, 2, 2  # patches above the threshold, of necrosis, and both
    score = read_json(made("a", "score"))
    assert score["score"] == pytest.approx(2 * hit / (found + true))
    assert (score["precision"], score["recall"]) == (pytest.approx(hit / found), 1.0)
    assert score["predicted_pixels"] == found * SIDE**2
    assert (score["variant"], score["threshold"], score["area"]) == ("plain", 0.0, WIDTH * HEIGHT)
    assert "score" not in read_json(made("t", "score"))


def test_the_picture_shows_no_necrosis_that_was_missed_outside_the_region_of_interest(study):
    def shown(region):
        attributes = read_tiles("tiles/a.h5")[1]
        write_tiles("tiles/a.h5", COORDS, attributes, region=region)
        study.segment("a")
        with Image.open(made("a", "overlay")) as picture:
            return np.asarray(picture).astype(int)

    write_json("fold-1/choice.json", {"chosen": {**CHOSEN, "threshold": 5.0}})  # all of it is missed
    whole, upper = shown(None), shown(COORDS[:3])
    rows, columns = np.nonzero(np.abs(whole - upper).max(axis=2) > 40)
    edge = rows.min(), rows.max(), columns.min(), columns.max()
    np.testing.assert_allclose(edge, (SIDE, HEIGHT - 1, 0, SIDE - 1), atol=2)  # JPEG, and the outline's own width
    assert np.array_equal(shown(COORDS), whole)


def test_a_slide_that_could_not_be_read_counts_as_wrong(study):
    study.segment(["a", "bad"])
    score = read_json(made("bad", "score"))
    assert (score["score"], score["status"]) == (0.0, "unreadable")
    with Image.open(made("bad", "overlay")) as picture:
        assert min(picture.size) > 1


def test_another_choice_makes_the_slides_of_its_part_again(study, tmp_path):
    study.segment("at")
    before = (tmp_path / made("t", "mask")).stat().st_mtime_ns
    write_json("fold-1/choice.json", {"chosen": {**CHOSEN, "threshold": 0.75}})
    study.segment("at")
    assert (tmp_path / made("t", "mask")).stat().st_mtime_ns == before
    np.testing.assert_array_equal(read_cells(made("a", "mask"), CELLS) > 0, VALUES > 0.75)


def test_a_damaged_slide_fails_after_the_others(study):
    broken("t.png")
    with pytest.raises(SlidecafError, match=r"1 of the 2 slides of this job failed \(t\)"):
        study.segment("ta")
    assert read_json(made("a", "score"))["status"] == "ok"

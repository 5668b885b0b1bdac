"""What the three rules of GraphRLM do to batches of slides: files, statuses, who learns from whom."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.files.manifests import read_manifests
from slidecaf.files.tables import read_json, write_tsv
from slidecaf.segmentation.graph_rlm.file import read_regions
from slidecaf.segmentation.graph_rlm.finding import find_slide_regions
from slidecaf.segmentation.graph_rlm.learning import fit_region_models, read_region_models
from slidecaf.segmentation.graph_rlm.mapping import map_regions
from slidecaf.segmentation.labelling import label_slides
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.maps import read_map
from slidecaf.segmentation.parts import problems_of
from slidecaf.tiles.file import read_tiles
from tests.unit.segmentation.graph_rlm.test_slide import planted

LIMITS = {"max_megapixels": 100, "max_decoded_megapixels": 100}
VERSIONS = {"revision": {"segmentation.graph_rlm": 1}, "versions": {}}
GRAPH = {"r_min": 4, "r_strel": 1, "win_size": 64, "dist_thr": [1.25, 2], "comp_thr": [20]}
FOUND = {"graph": GRAPH, **VERSIONS}
GRID = {"clusters": [1, 3], "comp_thr": [20], "dist_thr": [1.25, 2]}
TRAINED = ("a", "b", "c", "white")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with slides, their masks, regions, labels, models and maps: the right half of each slide is necrosis."""
    folder = tmp_path_factory.mktemp("graph")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        paths, masks = {}, {}
        for seed, slide in enumerate(("a", "b", "c", "test", "tiny")):
            pixels = planted((200, 300), seed) if slide != "tiny" else planted((20, 30))
            truth = np.broadcast_to(np.arange(pixels.shape[1]) >= pixels.shape[1] // 2, pixels.shape[:2])
            paths[slide] = save(slide, pixels)
            masks[slide] = {"mask": save(f"{slide}-mask", truth.astype(np.uint8) * 255), "hemorrhage": "", "number": 2}
        paths["white"] = save("white", np.full((90, 100, 3), 250, np.uint8))
        masks["white"] = {"mask": save("white-mask", np.zeros((90, 100), np.uint8)), "hemorrhage": "", "number": 2}
        Path("bad.png").write_bytes(b"no picture")
        paths["bad"], masks["bad"] = "bad.png", masks["white"]
        run(paths, masks)
        yield folder, paths, masks


def save(name, pixels):
    Image.fromarray(pixels).save(f"{name}.png")
    return f"{name}.png"


def run(paths, masks, on_bad_slide="exclude"):
    slides = {slide: {"digest": f"d-{slide}", "mpp": None, "scene": None} for slide in paths}
    find_slide_regions("regions/batch-0.tsv", slides, FOUND, paths=paths, limits=LIMITS, on_bad_slide=on_bad_slide)
    label_slides(
        "labels/batch-0.tsv",
        {slide: {} for slide in paths},
        {"mask_value": None, **VERSIONS},
        tiles="regions/batch-0.tsv",
        masks=masks,
        limits=LIMITS,
    )
    rows = [{"slide": slide, "patient": f"p-{slide}"} for slide in TRAINED]
    write_tsv("folds.tsv", ["slide", "patient", "fold"], [{**row, "fold": k} for k, row in enumerate(rows)])
    learn()
    map_regions(
        "maps/batch-0.tsv",
        {slide: {} for slide in paths},
        {"grid": GRID, "inner_folds": 2, "seed": 0, **VERSIONS},
        groups="folds.tsv",
        regions="regions/batch-0.tsv",
        models={part: f"{part}.json" for part in parts()},
    )


def parts():
    return [*(f"fold-{k}" for k in range(len(TRAINED))), "final"]


def learn(**changed):
    fit_region_models(
        {part: f"{part}.json" for part in parts()},
        regions={slide: f"regions/{slide}.h5" for slide in TRAINED},
        labels={slide: f"labels/{slide}.h5" for slide in TRAINED},
        folds="folds.tsv",
        **{"clusters": GRID["clusters"], "inner_folds": 2, "seed": 0, "on_bad_slide": "exclude", **changed},
    )


def test_a_slides_regions_lie_on_the_cells_that_its_labels_and_maps_have(made):
    for slide, (height, width) in {"a": (200, 300), "tiny": (20, 30), "white": (90, 100)}.items():
        coords, attributes = read_tiles(f"regions/{slide}.h5")
        assert coords.shape == (0, 2)
        assert (attributes["level0_width"], attributes["level0_height"]) == (width, height)
        assert attributes["slide_digest"] == f"d-{slide}"
        cells = read_truth(f"labels/{slide}.h5").cells
        assert cells.shape == (-(-height // 8), -(-width // 8))
        assert read_map(f"maps/{slide}.h5", "final" if slide == "tiny" else "fold-0", (3, 20, 2)).shape == cells.shape
    status, found = read_regions("regions/a.h5")
    assert status == "ok"
    assert list(found.regions) == [(20, 1.25), (20, 2)]
    assert found.owner.max() < len(found.features)


def test_white_and_unreadable_slides_have_a_status_and_no_regions(made):
    assert read_regions("regions/white.h5") == ("no tissue", None)
    assert read_regions("regions/bad.h5") == ("unreadable", None)
    assert np.isnan(read_map("maps/white.h5", "fold-3", (1, 20, 1.25))).all()
    with pytest.raises(SlidecafError):
        read_map("maps/bad.h5", "final", (1, 20, 1.25))


def test_an_unreadable_slide_ends_the_batch_after_the_others_where_it_is_an_error(made, tmp_path, monkeypatch):
    folder, paths, _ = made
    monkeypatch.chdir(tmp_path)
    own = {slide: str(folder / paths[slide]) for slide in ("bad", "tiny")}
    slides = {slide: {"digest": "", "mpp": None, "scene": None} for slide in own}
    with pytest.raises(SlidecafError, match="1 of the 2 slides of this job failed"):
        find_slide_regions("regions/batch-0.tsv", slides, FOUND, paths=own, limits=LIMITS, on_bad_slide="fail")
    assert [path.name for path in Path("regions").glob("*.h5")] == ["tiny.h5"]


def test_the_confidence_is_the_share_of_necrosis_on_the_slides_that_were_learned_from(made):
    """With one cluster it is the same everywhere, and can be worked out from the masks alone."""
    for problem in problems_of(
        [{"slide": slide, "patient": f"p-{slide}", "fold": k} for k, slide in enumerate(TRAINED)], 2, seed=0
    ):
        model = read_region_models(f"{problem.part}.json", problem.inner)[1, 20, 1.25]
        truths = [read_truth(f"labels/{slide}.h5") for slide in problem.trained_on if slide != "white"]
        share = sum(truth.necrosis.sum() for truth in truths) / sum(truth.cells.areas.sum() for truth in truths)
        assert model.confidence == [pytest.approx(2 * share - 1, abs=1e-12)]
        for slide in problem.mapped if "white" not in problem.mapped else ():
            np.testing.assert_allclose(read_map(f"maps/{slide}.h5", problem.part, (1, 20, 1.25)), 2 * share - 1, 1e-6)


def test_planted_necrosis_is_found_on_slides_that_were_never_seen(made):
    for slide, part in (("a", "fold-0"), ("b", "fold-1"), ("test", "final")):
        values, truth = read_map(f"maps/{slide}.h5", part, (3, 20, 1.25)), read_truth(f"labels/{slide}.h5")
        necrosis = 2 * truth.necrosis > truth.cells.areas
        assert ((values > 0) == necrosis).mean() > 0.85


def test_who_maps_whom_is_as_for_every_kind(made):
    import h5py

    problems = problems_of(
        [{"slide": slide, "patient": f"p-{slide}", "fold": k} for k, slide in enumerate(TRAINED)], 2, seed=0
    )
    for slide in ("a", "test"):
        with h5py.File(f"maps/{slide}.h5") as file:
            found = set(file)
        expected = {problem.part for problem in problems if slide in problem.mapped}
        assert found == (expected if slide == "a" else {"final"})


def test_a_mask_that_was_left_out_changes_no_model_of_its_part(made, tmp_path, monkeypatch):
    folder, paths, masks = made
    monkeypatch.chdir(tmp_path)
    for name in ("regions", "labels"):
        (tmp_path / name).symlink_to(folder / name)
    for name in ("folds.tsv",):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    learn()
    before = {part: Path(f"{part}.json").read_bytes() for part in parts()}
    (tmp_path / "labels").unlink()
    Image.fromarray(255 - np.asarray(Image.open(folder / "a-mask.png"))).save("turned.png")
    turned = {slide: {**own, "mask": str(folder / own["mask"])} for slide, own in masks.items()}
    turned["a"]["mask"] = "turned.png"
    label_slides(
        "labels/batch-0.tsv",
        {slide: {} for slide in paths},
        {"mask_value": None, **VERSIONS},
        tiles=str(folder / "regions/batch-0.tsv"),
        masks=turned,
        limits=LIMITS,
    )
    learn()
    changed = [part for part in parts() if Path(f"{part}.json").read_bytes() != before[part]]
    assert changed == ["fold-1", "fold-2", "fold-3", "final"]


def test_masks_with_nothing_to_learn_and_slides_without_tissue_end_it(made, tmp_path):
    own = {"regions": {}, "labels": {}}
    for slide in ("white", "white2", "white3"):
        own["regions"][slide], own["labels"][slide] = "regions/white.h5", "labels/white.h5"
    arguments = {"folds": "folds.tsv", "clusters": [2], "inner_folds": 2, "seed": 0}
    with pytest.raises(SlidecafError, match="no px of its 3 training masks are foreground"):
        fit_region_models({"final": tmp_path / "m.json"}, **own, **arguments)
    rows = [{"slide": slide, "patient": slide, "fold": k} for k, slide in enumerate(("a", "white", "white2"))]
    write_tsv(tmp_path / "folds.tsv", ["slide", "patient", "fold"], rows)
    own = {
        "regions": {"a": "regions/a.h5", "white": "regions/white.h5", "white2": "regions/white.h5"},
        "labels": {"a": "labels/a.h5", "white": "labels/white.h5", "white2": "labels/white.h5"},
    }
    with pytest.raises(SlidecafError, match="fold-0: no slide that its model learns from has tissue"):
        fit_region_models(
            {part: tmp_path / f"{part}.json" for part in ("fold-0", "fold-1", "fold-2", "final")},
            **own,
            **{**arguments, "folds": tmp_path / "folds.tsv"},
        )


def test_a_slide_that_was_left_out_is_an_error_once_bad_slides_are(made, tmp_path):
    own = {"regions": {"a": "regions/a.h5", "bad": "regions/bad.h5"}}
    own["labels"] = {"a": "labels/a.h5", "bad": "labels/bad.h5"}
    with pytest.raises(SlidecafError, match="slide bad: it could not be read and was left out of regions"):
        fit_region_models({"final": tmp_path / "m.json"}, **own, folds="folds.tsv", clusters=[2], inner_folds=2, seed=0)


def test_manifests_list_a_file_a_slide_and_what_is_made_is_not_made_again(made):
    _, paths, masks = made
    listed = read_manifests(["regions/batch-0.tsv"])
    assert set(listed) == set(paths)
    times = {path: path.stat().st_mtime_ns for path in Path().glob("*/*.h5")}
    run(paths, masks)
    assert {path: path.stat().st_mtime_ns for path in Path().glob("*/*.h5")} == times
    assert read_json("final.json")["part"] == "final"

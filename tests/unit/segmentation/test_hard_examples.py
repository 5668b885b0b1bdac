"""Hard examples against counting pixels."""

import numpy as np
import pytest

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.choice import choice_slides, choose_on_maps
from slidecaf.segmentation.hard_examples import draw, find_hard_examples, hard_patches
from slidecaf.segmentation.labels import count_masks


@pytest.mark.parametrize("seed", range(5))
def test_a_patch_is_hard_where_more_than_half_its_pixels_are_missed_or_false(seed):
    rng = np.random.default_rng(seed)
    width, height, size = 45, 38, 12
    coords = np.array([(x, y) for y in range(0, height, 6) for x in range(0, width, 6)])
    cells = Cells.of_patches(coords, size, width, height)

    def blobs(share):
        return np.kron(rng.random((5, 5)) < share, np.ones((10, 10), bool))[:height, :width]

    necrosis, hemorrhage, predicted = blobs(0.5), blobs(0.3), rng.random(cells.shape) < 0.5
    predicted[:4, :4] = False
    truth = count_masks(cells, [necrosis], [hemorrhage])
    found = hard_patches(truth, predicted, coords, size)
    pixels = cells.expand(predicted, 0, height)
    for kind, region in (("missed", necrosis & ~hemorrhage & ~pixels), ("false", pixels & ~necrosis)):
        expected = [k for k, (x, y) in enumerate(coords) if region[y : y + size, x : x + size].mean() > 0.5]
        assert found[kind].tolist() == expected


def test_as_many_are_drawn_as_their_copies_may_add():
    rows = list(range(100))
    drawn = draw(rows, training_rows=60, copies=2, max_share=0.5, seed=3)
    assert len(drawn) == 15
    assert drawn == sorted(set(drawn))
    assert drawn == draw(rows, training_rows=60, copies=2, max_share=0.5, seed=3)
    assert drawn != draw(rows, training_rows=60, copies=2, max_share=0.5, seed=4)
    assert draw(rows[:15], training_rows=60, copies=2, max_share=0.5, seed=3) == rows[:15]
    assert draw([], training_rows=60, copies=1, max_share=0.5, seed=0) == []


def test_each_part_finds_hard_examples_on_the_maps_of_models_that_left_the_slide_out(files, made_twice):
    hard = {"stride": 8, "copies": 2, "max_share": 0.5}

    def write(folder):
        inputs = {"folds": files.folds, "tiles": files.tiles, "labels": files.labels, "maps": files.maps}
        examples = {part: folder / f"{part}.tsv" for part in files.parts}
        find_hard_examples(examples, folder / "s.json", **inputs, C=files.C, training_stride=16, **hard, seed=3)

    folder = made_twice(write)
    summary = read_json(folder / "s.json")
    assert list(summary) == list(files.parts)
    for part, said in summary.items():
        slides = choice_slides(part, files.rows, files.maps, files.labels)
        chosen = choose_on_maps(slides, grid={"C": files.C, "smooth": [0], "min_object": [0], "max_hole": [0]})[
            "chosen"
        ]
        expected = []
        for slide in (judged.name for judged in slides):
            mapped_by = f"fold-{'abcdef'.index(slide) % 3}" if part == "final" else part
            predicted = files.read[slide, mapped_by, chosen["C"]] > np.float32(chosen["threshold"])
            predicted = np.kron(predicted, np.ones((8, 8), bool))  # cells are 8 px wide
            mask, places = files.masks[slide], [(x, y) for y in range(0, 49, 8) for x in range(0, 49, 8)]
            for kind, region in (("missed", mask & ~predicted), ("false", predicted & ~mask)):
                expected += [
                    {"slide": slide, "x": str(x), "y": str(y), "kind": kind}
                    for x, y in places
                    if region[y : y + 16, x : x + 16].mean() > 0.5
                ]
        kinds = [row["kind"] for row in expected]
        drawn = draw(expected, training_rows=16 * len(slides), copies=2, max_share=0.5, seed=3)
        assert read_tsv(folder / f"{part}.tsv") == drawn
        assert said == {
            **{"C": chosen["C"], "threshold": chosen["threshold"], "training_rows": 16 * len(slides)},
            **{"missed": kinds.count("missed"), "false": kinds.count("false"), "drawn": len(drawn)},
        }
    assert sum(said["drawn"] for said in summary.values()) > 0


def test_a_part_without_hard_examples_says_so(files, caplog):
    inputs = {"folds": files.folds, "tiles": files.tiles, "labels": files.labels, "maps": files.maps}
    options = {"C": files.C, "training_stride": 16, "stride": 8, "copies": 2, "max_share": 0, "seed": 0}
    with caplog.at_level("WARNING", logger="slidecaf"):
        find_hard_examples({"final": files.folder / "h.tsv"}, files.folder / "s.json", **inputs, **options)
    assert read_tsv(files.folder / "h.tsv") == []
    assert "final: no hard example found" in caplog.text

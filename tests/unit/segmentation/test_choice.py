import time
from itertools import product

import numpy as np
import pytest
from scipy import ndimage
from skimage import morphology

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, write_json
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.choice import (
    FINER,
    POOLED,
    QUANTILES,
    Judged,
    choice_slides,
    choose_on_maps,
    write_choice,
)
from slidecaf.segmentation.postprocess import binarise, smooth

PLAIN = {"C": [1], "smooth": [0], "min_object": [0], "max_hole": [0]}
KEYS = tuple(PLAIN)


def study(seed, *, slides=3, models=(0.1, 1), side=4, last=3, uncovered=0.1):
    """Slides with masks drawn on pixels and maps that see something of them; the second model sees more."""
    rng = np.random.default_rng(seed)
    judged, pixels = [], {}
    for k in range(slides):
        rows, columns = rng.integers(6, 12, 2)
        cells = Cells(*(np.append(np.arange(n) * side, (n - 1) * side + last) for n in (columns, rows)))
        height, width = int(cells.cuts_y[-1]), int(cells.cuts_x[-1])
        mask = ndimage.gaussian_filter(rng.normal(size=(height, width)), 4) > 0.02
        truth = cells.count([mask[None]])[0]
        maps = {}
        for C in models:
            seen = truth / cells.areas - 0.3 + rng.normal(0, 0.6 / (1 + C), truth.shape)
            maps[C] = np.where(rng.random(truth.shape) < uncovered, np.nan, seen).astype(np.float32)
        judged.append(Judged(f"s-{k}", cells, truth, maps.__getitem__))
        pixels[f"s-{k}"] = mask
    return judged, pixels


def pixel_score(values, threshold, least, most, truth):
    """Return S by scikit-image on all pixels."""
    mask = values > np.float32(threshold)
    if least:
        mask = morphology.remove_small_objects(mask, max_size=least - 1)
    if most and mask.any():
        mask = morphology.remove_small_holes(mask, max_size=most)
    mask = mask & ~np.isnan(values)
    both = mask.sum() + truth.sum()
    return 2 * (mask & truth).sum() / both if both else 1.0


def pixel_scores(slides, pixels, setting, thresholds):
    C, sigma, least, most = setting
    total = np.zeros(len(thresholds))
    for slide in slides:
        values = slide.cells.expand(smooth(slide.read(C), slide.cells, sigma), 0, int(slide.cells.cuts_y[-1]))
        total += [pixel_score(values, threshold, least, most, pixels[slide.name]) for threshold in thresholds]
    return total / len(slides)


def pooled_thresholds(slides, C, sigma):
    pooled = []
    for slide in slides:
        values = smooth(slide.read(C), slide.cells, sigma)
        values = sorted(float(value) for value in values.ravel() if value == value)
        pooled += [values[round((len(values) - 1) * k / (POOLED - 1))] for k in range(POOLED)] if values else []
    levels = np.quantile(np.array(pooled, np.float32), QUANTILES, method="inverted_cdf")
    return sorted({0.0, *map(float, levels), float(np.nextafter(levels.min(), np.float32(-np.inf)))})


def ranked(setting, thresholds, scores):
    """The best threshold of a setting: by score, then nearest 0."""
    return min((-round(score, 12), *setting, abs(t), t) for score, t in zip(scores, thresholds, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_that_of_a_search_over_all_pixels(seed):
    slides, pixels = study(seed)
    grid = {"C": [0.1, 1], "smooth": [0, 3], "min_object": [0, 40], "max_hole": [0, 60]}
    tried, best = {}, {}
    for setting in product(*grid.values()):
        tried[setting] = pooled_thresholds(slides, *setting[:2])
        best[setting] = ranked(setting, tried[setting], pixel_scores(slides, pixels, setting, tried[setting]))
    winner = min(best, key=best.get)
    place = tried[winner].index(best[winner][-1])
    low, high = tried[winner][max(place - 1, 0)], tried[winner][min(place + 1, len(tried[winner]) - 1)]
    between = [low + (high - low) * k / (FINER + 1) for k in range(FINER + 2)]
    finer = sorted({float(np.float32(t)) for t in [*between, best[winner][-1]]})
    last = ranked(winner, finer, pixel_scores(slides, pixels, winner, finer))

    found = choose_on_maps(slides, grid=grid)
    assert tuple(found["chosen"][key] for key in KEYS) == winner
    assert found["score"] == pytest.approx(-last[0], abs=1e-9)
    assert found["chosen"]["threshold"] == pytest.approx(last[-1], rel=1e-5, abs=1e-7)
    assert found["n"] == 3
    for candidate in found["candidates"]:
        expected = best[tuple(candidate[key] for key in KEYS)]
        assert candidate["score"] == pytest.approx(-expected[0], abs=1e-9)
        assert candidate["threshold"] == expected[-1]
    assert len(found["candidates"]) == len(best)


@pytest.mark.parametrize("seed", range(10, 16))
def test_the_choice_is_never_worse_than_threshold_0_at_any_setting(seed):
    slides, pixels = study(seed, slides=2)
    grid = {"C": [0.1, 1], "smooth": [0, 6], "min_object": [0, 50], "max_hole": [0, 50]}
    found = choose_on_maps(slides, grid=grid)
    at_0 = max(pixel_scores(slides, pixels, setting, [0])[0] for setting in product(*grid.values()))
    assert found["score"] >= at_0 - 1e-9
    assert found["score"] >= max(candidate["score"] for candidate in found["candidates"])


def test_ties_go_to_the_simpler_setting_in_whatever_order_the_grid_is():
    cells = Cells(np.arange(6) * 8, np.arange(6) * 8)
    values = np.full((5, 5), -1, np.float32)
    values[1:4, 1:4] = 1
    slide = Judged("a", cells, np.where(values > 0, 64, 0), lambda C: values)
    grid = {"C": [10, 0.01, 1], "smooth": [1, 0], "min_object": [100, 0, 64], "max_hole": [10, 0]}
    found = choose_on_maps([slide], grid=grid)
    assert found["score"] == 1
    assert found["chosen"] == {"C": 0.01, "smooth": 0, "min_object": 0, "max_hole": 0, "threshold": 0}


def test_of_equal_thresholds_the_one_nearest_0_is_taken():
    cells = Cells(np.arange(5) * 8, np.array([0, 8]))
    values = np.array([[2, 3, 7, 9]], np.float32)
    slide = Judged("a", cells, np.array([[0, 0, 64, 64]]), lambda C: values)
    found = choose_on_maps([slide], grid=PLAIN)
    assert (found["score"], found["chosen"]["threshold"]) == (1, 3)


@pytest.mark.parametrize("value", [-2, 0, 5])
def test_a_constant_map_is_all_or_nothing(value):
    cells = Cells(np.arange(5) * 8, np.array([0, 8]))
    slide = Judged("a", cells, np.array([[64, 64, 64, 0]]), lambda C: np.full((1, 4), value, np.float32))
    found = choose_on_maps([slide], grid=PLAIN)
    assert found["score"] == pytest.approx(2 * 3 / 7)
    assert found["chosen"]["threshold"] < value


def test_maps_without_any_value_predict_nothing():
    cells = Cells(np.arange(5) * 8, np.arange(4) * 8)
    grid = {**PLAIN, "smooth": [0, 8], "max_hole": [0, 10_000]}
    slides = [
        Judged(name, cells, np.full((3, 4), n), lambda C: np.full((3, 4), np.nan, np.float32))
        for name, n in (("a", 64), ("b", 0))
    ]
    found = choose_on_maps(slides, grid=grid)
    assert found["score"] == 0.5
    assert found["chosen"] == {"C": 1, "smooth": 0, "min_object": 0, "max_hole": 0, "threshold": 0}


def test_a_slide_without_any_value_counts_beside_others():
    slides, _ = study(4, slides=2)
    empty = Judged("e", slides[0].cells, slides[0].truth, lambda C: np.full(slides[0].truth.shape, np.nan, np.float32))
    assert choose_on_maps([*slides, empty], grid=PLAIN)["score"] <= 2 / 3


@pytest.mark.parametrize("shift", [0, 100])
def test_where_no_slide_has_necrosis_nothing_is_predicted(shift):
    slides, _ = study(5)
    slides = [
        Judged(s.name, s.cells, np.zeros_like(s.truth), lambda C, s=s: s.read(C) + np.float32(shift)) for s in slides
    ]
    found = choose_on_maps(slides, grid={**PLAIN, "max_hole": [10_000]})
    assert found["score"] == 1
    for slide in slides:
        assert not binarise(slide.read(1), found["chosen"]["threshold"]).any()


def test_the_chosen_threshold_gives_the_same_masks_after_a_journey_through_json(tmp_path):
    slides, pixels = study(6)
    grid = {"C": [1], "smooth": [3], "min_object": [20], "max_hole": [30]}
    found = choose_on_maps(slides, grid=grid)
    write_json(tmp_path / "choice.json", found)
    read = read_json(tmp_path / "choice.json")
    assert read == found
    chosen = read["chosen"]
    assert np.float32(chosen["threshold"]) == chosen["threshold"]
    setting = tuple(chosen[key] for key in KEYS)
    assert pixel_scores(slides, pixels, setting, [chosen["threshold"]])[0] == pytest.approx(found["score"], abs=1e-9)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_map_is_refused_by_slide_name(value):
    cells = Cells(np.arange(5) * 8, np.array([0, 8]))
    slide = Judged("bad-1", cells, np.zeros((1, 4), int), lambda C: np.array([[0, np.nan, value, 1]], np.float32))
    with pytest.raises(SlidecafError, match="slide bad-1: its map is infinite somewhere"):
        choose_on_maps([slide], grid=PLAIN)


def test_a_map_of_another_shape_is_refused_by_slide_name():
    cells = Cells(np.arange(5) * 8, np.array([0, 8]))
    slide = Judged("bad-2", cells, np.zeros((1, 4), int), lambda C: np.zeros((4, 1), np.float32))
    with pytest.raises(SlidecafError, match=r"slide bad-2: its map has \(4, 1\) cells and its labels \(1, 4\)"):
        choose_on_maps([slide], grid=PLAIN)


def test_no_slide_is_an_error():
    with pytest.raises(SlidecafError, match="no slide has a map"):
        choose_on_maps([], grid=PLAIN)


def test_eight_slides_of_two_thousand_pixels_square_take_seconds():
    rng = np.random.default_rng(7)
    cells = Cells(np.arange(257) * 8, np.arange(257) * 8)
    base = [ndimage.gaussian_filter(rng.normal(size=(256, 256)), 6) * 20 for _ in range(8)]
    slides = [
        Judged(f"s-{k}", cells, np.where(field > 0.3, 64, 0), lambda C, field=field: (field * C).astype(np.float32))
        for k, field in enumerate(base)
    ]
    start = time.process_time()
    choose_on_maps(slides, grid={"C": [1, 2, 3, 4], "smooth": [0], "min_object": [1000], "max_hole": [10_000]})
    assert time.process_time() - start < 8


def test_a_part_chooses_on_maps_that_its_own_models_made_of_slides_they_never_saw(files):
    own = choice_slides("fold-1", files.rows, files.maps, files.labels)
    assert [judged.name for judged in own] == ["a", "c", "d"]  # fold-1 is b and e; f could not be read
    final = choice_slides("final", files.rows, files.maps, files.labels)
    assert [judged.name for judged in final] == list("abcde")
    for judged in own:
        np.testing.assert_array_equal(judged.read(1.0), files.read[judged.name, "fold-1", 1.0])
    for judged, fold in zip(final, "01201", strict=True):
        np.testing.assert_array_equal(judged.read(0.01), files.read[judged.name, f"fold-{fold}", 0.01])
        assert judged.truth.sum() == files.masks[judged.name].sum()


@pytest.mark.parametrize("part", ["fold-1", "final"])
def test_the_file_of_a_part_holds_its_choice(files, made_twice, part):
    grid = {"C": [0.01, 1.0], "smooth": [0], "min_object": [0, 100], "max_hole": [0]}
    options = {"part": part, "folds": files.folds, "maps": files.maps, "labels": files.labels, "grid": grid}
    folder = made_twice(lambda folder: write_choice(folder / "choice.json", **options))
    slides = choice_slides(part, files.rows, files.maps, files.labels)
    assert read_json(folder / "choice.json") == choose_on_maps(slides, grid=grid)

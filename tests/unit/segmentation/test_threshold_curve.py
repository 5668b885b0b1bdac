"""The score at other thresholds."""

import numpy as np
import pytest

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.choice import (
    STEPS,
    Judged,
    choice_slides,
    choose_on_maps,
    threshold_curve,
    write_choice,
    write_thresholds,
)


def judged(name, seed):
    rng = np.random.default_rng(seed)
    cuts = np.arange(0, 161, 10)
    truth = np.zeros((16, 16), np.int64)
    truth[4:10, 3:12] = 100
    values = (truth / 50 - 1 + rng.normal(0, 1, truth.shape)).astype(np.float32)
    return Judged(name, Cells(cuts, cuts), truth, lambda C: values)


def test_the_chosen_threshold_has_the_score_of_the_choice_and_none_is_much_higher():
    slides = [judged(name, seed) for seed, name in enumerate("abc")]
    choice = choose_on_maps(slides, grid={"C": [1], "smooth": [0], "min_object": [0, 300], "max_hole": [0, 300]})
    thresholds, scores = threshold_curve(slides, choice["chosen"])
    assert len(thresholds) in (STEPS, STEPS + 1)
    assert (np.diff(thresholds) > 0).all()
    at = np.flatnonzero(thresholds == np.float32(choice["chosen"]["threshold"]))
    assert scores[at] == pytest.approx([choice["score"]], abs=1e-12)
    assert scores.max() <= choice["score"] + 0.02


def test_a_map_without_values_counts_as_empty_prediction():
    nothing = Judged("n", judged("x", 0).cells, np.zeros((16, 16), np.int64), lambda C: np.full((16, 16), np.nan, "f4"))
    chosen = {"C": 1, "smooth": 0, "min_object": 0, "max_hole": 0, "threshold": 0.5}
    thresholds, scores = threshold_curve([nothing], chosen)
    assert np.array_equal(thresholds, np.array([0, 0.5], np.float32))
    assert np.array_equal(scores, [1, 1])


def test_the_table_of_thresholds_is_the_curve_of_the_final_choice(files, made_twice):
    inputs = {"folds": files.folds, "maps": files.maps, "labels": files.labels}
    grid = {"C": list(files.C), "smooth": [0], "min_object": [0], "max_hole": [0, 300]}
    write_choice(files.folder / "choice.json", part="final", **inputs, grid=grid)
    folder = made_twice(
        lambda folder: write_thresholds(folder / "t.tsv", **inputs, choice=files.folder / "choice.json")
    )
    table = read_tsv(folder / "t.tsv")
    slides = choice_slides("final", files.rows, files.maps, files.labels)
    thresholds, scores = threshold_curve(slides, read_json(files.folder / "choice.json")["chosen"])
    assert [float(row["threshold"]) for row in table] == [float(value) for value in thresholds]
    assert [float(row["score"]) for row in table] == scores.tolist()

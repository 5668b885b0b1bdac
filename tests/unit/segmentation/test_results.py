"""The scores of slides in one table, their means, and variants compared."""

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.paired import compare_scores
from slidecaf.scores.segmentation import segmentation_scores
from slidecaf.segmentation.results import COLUMNS, METHODS, write_methods, write_scores, write_variants

ROWS = [
    *({"slide": f"s{k}", "patient": f"p{k // 2}", "split": "train"} for k in range(5)),
    *({"slide": f"t{k}", "patient": f"q{k}", "split": "test"} for k in range(2)),
]
SCORES = {
    "plain": {"s0": 0.5, "s1": 0.25, "s2": 1.0, "s3": 0.75, "s4": 0.0, "t0": 0.5},
    "hard": {"s0": 0.75, "s1": 0.5, "s2": 1.0, "s3": 0.5, "s4": 0.125, "t0": 0.25},
}
"""Of every slide but t1, which has no mask."""


def found(slide, variant):
    scored = {"predicted_pixels": 10, "area": 100}
    if slide in SCORES[variant]:
        score = SCORES[variant][slide]
        scored |= {"score": score, "precision": None, "recall": score, "soft_score": score / 2, "true_pixels": 20}
    return {"slide": slide, "variant": variant, "status": "ok", "C": 0.1, "threshold": 0.5, **scored}


@pytest.fixture
def scored(tmp_path):
    paths = {"hard": {}, "plain": {}}
    for variant, own in paths.items():
        for number, row in enumerate(reversed(ROWS)):
            path = own[row["slide"]] = tmp_path / variant / f"{number}.json"
            write_json(path, found(row["slide"], variant))
    return paths


@pytest.fixture
def write(scored):
    def call(folder, scored=scored):
        said = {"rows": ROWS, "group_name": "patient", "caveats": ["synthetic slides"], "seed": 0}
        write_scores(slides=folder / "scores.tsv", scores=folder / "scores.json", scored=scored, **said)

    return call


def test_every_slide_has_a_row_a_variant_plain_and_training_first(write, made_twice):
    table = read_tsv(made_twice(write) / "scores.tsv")
    assert tuple(table[0]) == COLUMNS
    assert [(row["variant"], row["split"], row["slide"], row["patient"]) for row in table] == [
        (variant, row["split"], row["slide"], row["patient"]) for variant in ("plain", "hard") for row in ROWS
    ]
    assert [row["score"] and float(row["score"]) for row in table] == [
        SCORES[variant].get(row["slide"], "") for variant in ("plain", "hard") for row in ROWS
    ]


def test_means_are_over_the_slides_with_a_mask_of_each_variant_and_split(write, made_twice):
    scores = read_json(made_twice(write) / "scores.json")
    assert list(scores) == ["plain", "hard"]
    for variant, own in scores.items():
        for part, split in (("leave_one_out", "train"), ("test", "test")):
            rows = [
                {**row, **found(row["slide"], variant)}
                for row in ROWS
                if row["split"] == split and row["slide"] in SCORES[variant]
            ]
            assert own[part] == segmentation_scores(rows, seed=0)
        values = [SCORES[variant][f"s{k}"] for k in range(5)]
        assert own["leave_one_out"]["score"] == pytest.approx(sum(values) / 5)
        assert own["test"]["n"] == 1
        assert (own["group_name"], own["caveats"]) == ("patient", ["synthetic slides"])


def test_a_variant_alone_and_no_test_row_with_a_mask(write, scored, tmp_path):
    of = {slide: path for slide, path in scored["plain"].items() if slide != "t0"}
    write(tmp_path / "one", {"plain": of})
    scores = read_json(tmp_path / "one" / "scores.json")
    assert list(scores) == ["plain"]
    assert scores["plain"]["test"] is None


def test_hard_is_compared_with_plain_slide_by_slide(write, made_twice, tmp_path):
    write(tmp_path / "scored")
    write_json(tmp_path / "hard.json", {"final": {"drawn": 3}})
    files = {"slides": tmp_path / "scored" / "scores.tsv", "hard_examples": tmp_path / "hard.json"}
    folder = made_twice(lambda folder: write_variants(folder / "c.json", **files, seed=0))
    compared, names = read_json(folder / "c.json"), [f"s{k}" for k in range(5)]
    hard, plain = ([SCORES[variant][name] for name in names] for variant in ("hard", "plain"))
    patients = ["p0", "p0", "p1", "p1", "p2"]
    expected = compare_scores(hard, plain, patients, names=("hard", "plain"), seed=0)
    assert compared["leave_one_out"] == expected
    assert (expected["better"], expected["worse"]) == (3, 1)
    assert expected["mean_difference"] == pytest.approx((0.25 + 0.25 + 0 - 0.25 + 0.125) / 5)
    assert compared["test"]["n"] == 1
    assert compared["hard_examples"] == {"final": {"drawn": 3}}


def test_a_split_without_a_scored_slide_is_not_compared(write, scored, tmp_path):
    write(tmp_path / "one", {v: {s: p for s, p in own.items() if s[0] == "s"} for v, own in scored.items()})
    write_json(tmp_path / "hard.json", {})
    write_variants(
        tmp_path / "c.json", slides=tmp_path / "one" / "scores.tsv", hard_examples=tmp_path / "hard.json", seed=0
    )
    assert read_json(tmp_path / "c.json")["test"] is None


def methods(folder, **scored):
    """Set methods side by side, of which the scores of left-out slides are given by variant."""
    files, costs = {"slides": {}, "scores": {}}, {}
    for method, variants in scored.items():
        rows = [
            {"slide": slide, "patient": f"p-{slide}", "variant": variant, "split": "train", "score": score}
            for variant, own in variants.items()
            for slide, score in own.items()
        ]
        rows.append({"slide": "t", "patient": "q", "variant": "plain", "split": "test", "score": 0.125})
        files["slides"][method], files["scores"][method] = folder / f"{method}.tsv", folder / f"{method}.json"
        write_tsv(files["slides"][method], ["slide", "patient", "variant", "split", "score"], rows)
        found = {
            variant: {"leave_one_out": {"n": len(own), "score": sum(own.values()) / len(own), "score_ci95": [0.1, 0.9]}}
            for variant, own in variants.items()
        }
        write_json(files["scores"][method], found)
        costs[method] = {variant: {"seconds": 60.0, "memory_gib": 0.5} for variant in variants}
    said = {method: {"kind": "graph-rlm" if method == "rlm" else "svm", "note": ""} for method in scored}
    write_methods(folder / "comparison.tsv", said, **files, costs=costs)
    return read_tsv(folder / "comparison.tsv")


def test_methods_and_variants_stand_side_by_side_each_paired_with_the_first_row(tmp_path):
    plain, hard = {"a": 0.5, "b": 0.25, "c": 0.75}, {"c": 1.0, "b": 0.5, "a": 0.625}
    table = methods(tmp_path, svm={"plain": plain, "hard": hard}, rlm={"plain": {"a": 0.25, "b": 0.25, "c": 0.5}})
    assert tuple(table[0]) == METHODS
    assert [(row["method"], row["variant"], row["kind"]) for row in table] == [
        *(("svm", "plain", "svm"), ("svm", "hard", "svm"), ("rlm", "plain", "graph-rlm"))
    ]
    assert [(row["n"], row["seconds"], row["memory_gib"]) for row in table] == [("3", "60.0", "0.5")] * 3
    assert (table[0]["difference"], table[0]["p"]) == ("", "")
    assert float(table[1]["difference"]) == pytest.approx((0.125 + 0.25 + 0.25) / 3)
    assert float(table[1]["p"]) == 0.25  # all of three differences have one sign: 2 / 2^3
    assert float(table[2]["difference"]) == pytest.approx(-0.5 / 3)


def test_a_slide_that_one_method_has_no_score_of_is_refused(tmp_path):
    with pytest.raises(
        SlidecafError, match=r"other\.tsv: slide b has a score here or in .*svm\.tsv, and none in the other"
    ):
        methods(tmp_path, svm={"plain": {"a": 1.0, "b": 0.5}}, other={"plain": {"a": 1.0}})

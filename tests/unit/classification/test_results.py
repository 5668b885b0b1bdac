"""Predictions beside labels, and their scores."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss, roc_auc_score

from slidecaf.classification.results import COLUMNS, write_comparison, write_methods, write_predictions_and_scores
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.intervals import exact_interval
from slidecaf.scores.paired import mcnemar_exact

CLASSES = ["LGG", "GBM"]
ROWS = [
    *({"slide": f"s{k}", "label": CLASSES[k % 2], "patient": f"p{k // 2}", "split": "train"} for k in range(8)),
    {"slide": "t0", "label": "GBM", "patient": "q0", "split": "test"},
    {"slide": "t1", "label": "", "patient": "q1", "split": "test"},
]
CONFIDENCE = {"s0": -1.5, "s1": 2.0, "s2": 0.5, "s3": 0.25, "s4": -3.0, "s5": -0.5, "s6": -0.1, "t0": 1.0, "t1": -1.0}
"""Of every slide but s7, which has no tissue."""

LEARNED = {"fold-0": ("s4", "s5", "s6"), "fold-1": ("s0", "s1", "s2", "s3")}
"""Part to the slides with tissue that it learns from."""


@pytest.fixture
def files(tmp_path):
    folds = [{**row, "fold": k // 4} for k, row in enumerate(ROWS[:8])]
    write_tsv(tmp_path / "folds.tsv", ["slide", "patient", "fold"], folds)
    decisions = {}
    parts = {"final": ("t0", "t1"), "fold-1": ("s7", "s6", "s5", "s4"), "fold-0": ("s0", "s1", "s2", "s3")}
    for part, names in parts.items():
        decisions[part] = tmp_path / f"{part}.tsv"
        table = [
            {
                "slide": name,
                "confidence": CONFIDENCE.get(name),
                "predicted": CLASSES[CONFIDENCE[name] > 0] if name in CONFIDENCE else "",
                "patches": 5,
                "status": "ok" if name in CONFIDENCE else "no tissue",
            }
            for name in names
        ]
        write_tsv(decisions[part], ["slide", "predicted", "confidence", "patches", "status"], table)
    inner = {}
    for part, learned in LEARNED.items():
        inner[part] = tmp_path / f"inner-{part}.tsv"
        # models of the inner folds say half of what the others do
        told = [{"slide": slide, "confidence": CONFIDENCE[slide] / 2} for slide in learned]
        write_tsv(inner[part], ["slide", "confidence"], told)
    return {"decisions": decisions, "inner": inner, "folds": tmp_path / "folds.tsv"}


def write(folder, files, **changed):
    said = {"method": "svm-cnn", "copies": {}, "group_name": "patient", "caveats": ["random weights"], "seed": 0}
    outputs = {"predictions": folder / "predictions.tsv", "scores": folder / "scores.json"}
    write_predictions_and_scores(**outputs, **{**files, "rows": ROWS, "classes": CLASSES, **said, **changed})
    return read_tsv(outputs["predictions"]), read_json(outputs["scores"])


def test_every_slide_stands_once_with_its_label_its_split_and_the_fold_that_held_it_out(tmp_path, files):
    table, _ = write(tmp_path / "one", files)
    assert [row["slide"] for row in table] == [row["slide"] for row in ROWS]
    assert [row["split"] for row in table] == ["cv"] * 8 + ["test"] * 2
    assert [row["fold"] for row in table] == [*"00001111", "", ""]
    assert [row["label"] for row in table] == [row["label"] for row in ROWS]
    assert [row["patient"] for row in table] == [row["patient"] for row in ROWS]
    assert [row["confidence"] and float(row["confidence"]) for row in table] == [
        CONFIDENCE.get(row["slide"], "") for row in ROWS
    ]


def curve(pairs):
    """Return Platt's curve by the formulas of his paper, minimised by another solver."""
    f, positive = (np.array(column, float) for column in zip(*pairs, strict=True))
    n = positive.sum()
    wanted = np.where(positive, (n + 1) / (n + 2), 1 / (len(f) - n + 2))

    def loss(ab):
        p = 1 / (1 + np.exp(ab[0] * f + ab[1]))
        return -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum()

    return minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 10_000}).x


def test_probabilities_of_a_fold_come_of_its_inner_folds_and_those_of_test_rows_of_the_folds(tmp_path, files):
    table, scores = write(tmp_path / "one", files)
    truth = {row["slide"]: row["label"] == "GBM" for row in ROWS}
    pairs = {part: [(CONFIDENCE[s] / 2, truth[s]) for s in names] for part, names in LEARNED.items()}
    pairs["final"] = [(CONFIDENCE[s], truth[s]) for s in CONFIDENCE if s[0] == "s"]
    for row in table:
        part = f"fold-{row['fold']}" if row["fold"] else "final"
        if row["slide"] == "s7":
            assert row["probability"] == ""
        else:
            a, b = curve(pairs[part])
            assert float(row["probability"]) == pytest.approx(
                1 / (1 + np.exp(a * CONFIDENCE[row["slide"]] + b)), abs=1e-5
            )
            assert scores["calibration"][part] == [[pytest.approx(a, abs=1e-4), pytest.approx(b, abs=1e-4)]]
    cv = [(float(row["probability"]), truth[row["slide"]]) for row in table[:7]]
    told, right = (np.array(column) for column in zip(*cv, strict=True))
    found = scores["cross_validation"]
    assert found["with_probability"] == 7
    assert found["brier"] == pytest.approx(((told - right) ** 2).mean())
    assert found["log_loss"] == pytest.approx(log_loss(right, told))


def test_a_held_out_label_moves_no_probability_of_its_own_fold(tmp_path, files):
    before, _ = write(tmp_path / "one", files)
    turned = [{**row, "label": "GBM"} if row["slide"] == "s2" else row for row in ROWS]
    after, _ = write(tmp_path / "two", files, rows=turned)
    of = {row["slide"]: row["probability"] for row in after}
    same = {row["slide"] for row in before if row["probability"] == of[row["slide"]]}
    assert {"s0", "s1", "s2", "s3"} <= same
    assert not {"s4", "s5", "s6", "t0"} & same  # these were learned from with it


def test_without_inner_confidences_there_is_no_probability_and_that_is_counted(tmp_path, files):
    write_tsv(files["inner"]["fold-0"], ["slide", "confidence"], [])
    table, scores = write(tmp_path / "one", files)
    assert [row["probability"] for row in table[:4]] == [""] * 4
    assert scores["calibration"]["fold-0"] is None
    assert scores["cross_validation"]["with_probability"] == 3
    assert scores["test"]["with_probability"] == 1


def test_the_operating_point_is_chosen_inside_the_training_rows(tmp_path, files):
    _, scores = write(tmp_path / "one", files, sensitivity=1)
    # the positive rows that fold 0 learns from are s5 and s7, which has no confidence; fold 1 learns from s1 and s3
    assert scores["thresholds"] == {"fold-0": -0.25, "fold-1": 0.125, "final": -0.5}
    point = scores["cross_validation"]["operating_point"]
    # s1 and s3 are found and s5 and s7 are not; of s0, s2, s4 and s6 only s2 is taken for GBM
    assert (point["n"], point["sensitivity"], point["specificity"]) == (4, 0.5, 0.75)
    assert scores["test"]["operating_point"]["sensitivity"] == 1
    assert "operating_point" not in write(tmp_path / "two", files)[1]["test"]


def test_three_classes_have_probabilities_that_sum_to_one(tmp_path):
    classes = ["a", "b", "c"]
    rng = np.random.default_rng(0)
    rows = [{"slide": f"s{k:02}", "label": classes[k % 3], "patient": f"p{k}", "split": "train"} for k in range(30)]
    told = {row["slide"]: rng.normal(size=3) + 2 * np.eye(3)[k % 3] for k, row in enumerate(rows)}
    columns = [f"confidence_{label}" for label in classes]

    def table(path, slides, **more):
        listed = [{"slide": s, **dict(zip(columns, told[s], strict=True)), **more} for s in slides]
        for row in listed:
            row["predicted"] = classes[int(told[row["slide"]].argmax())]
        write_tsv(path, ["slide", "predicted", *columns, "patches", "status"], listed)
        return path

    held = {f"fold-{fold}": [row["slide"] for k, row in enumerate(rows) if k % 2 == fold] for fold in (0, 1)}
    write_tsv(
        tmp_path / "folds.tsv",
        ["slide", "patient", "fold"],
        [{**row, "fold": k % 2} for k, row in enumerate(rows)],
    )
    found, scores = write(
        tmp_path / "one",
        {
            "decisions": {part: table(tmp_path / f"{part}.tsv", own, status="ok") for part, own in held.items()},
            "inner": {
                part: table(tmp_path / f"inner-{part}.tsv", sorted({*told} - {*own})) for part, own in held.items()
            },
            "folds": tmp_path / "folds.tsv",
        },
        rows=rows,
        classes=classes,
    )
    probability = np.array([[float(row[f"probability_{label}"]) for label in classes] for row in found])
    assert probability.sum(axis=1) == pytest.approx(1)
    right = np.array([classes.index(row["label"]) for row in found])
    assert scores["cross_validation"]["log_loss"] == pytest.approx(log_loss(right, probability))
    squared = (probability - np.eye(3)[right]) ** 2
    assert scores["cross_validation"]["brier"] == pytest.approx(squared.sum(axis=1).mean())


def test_scores_are_of_the_labelled_rows_of_each_split(tmp_path, files):
    _, scores = write(tmp_path / "one", files)
    assert [scores[key] for key in ("method", "classes", "group_name", "caveats")] == [
        *("svm-cnn", CLASSES, "patient", ["random weights"])
    ]
    cv = scores["cross_validation"]
    assert (cv["n"], cv["correct"], cv["no_prediction"]) == (8, 5, 1)  # wrong: s2, s5 and s7
    known = [(row["label"] == "GBM", CONFIDENCE.get(row["slide"], -99)) for row in ROWS[:8]]
    assert cv["auc"] == pytest.approx(roc_auc_score(*zip(*known, strict=True)), rel=1e-12)
    assert set(cv["auc_by_fold"]) == {"0", "1"}
    assert (scores["test"]["n"], scores["test"]["correct"]) == (1, 1)  # t1 has no label


def test_without_test_rows_there_is_no_score_of_them(tmp_path, files):
    del files["decisions"]["final"]
    assert write(tmp_path / "one", files)[1]["test"] is None


def test_scores_made_twice_are_equal_whatever_the_order_of_parts(tmp_path, files):
    write(tmp_path / "one", files)
    write(tmp_path / "two", {**files, "decisions": dict(reversed(files["decisions"].items()))})
    for name in ("predictions.tsv", "scores.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_more_than_two_classes_have_a_confidence_each(tmp_path, files):
    classes = ["a", "b", "c"]
    rows = [{"slide": f"s{k}", "label": classes[k % 3], "patient": f"p{k}", "split": "train"} for k in range(6)]
    columns = [f"confidence_{name}" for name in classes]
    table = [
        {"slide": f"s{k}", "predicted": "a", **dict(zip(columns, (2.2, 1.1, -0.3), strict=True)), "status": "ok"}
        for k in range(6)
    ]
    write_tsv(tmp_path / "d.tsv", ["slide", "predicted", *columns, "patches", "status"], table)
    found, scores = write(
        tmp_path / "one",
        {**files, "decisions": {"fold-0": tmp_path / "d.tsv"}, "inner": {"fold-0": tmp_path / "d.tsv"}},
        rows=rows,
        classes=classes,
    )
    told = [f"probability_{name}" for name in classes]
    assert list(found[0])[5:] == ["predicted", *columns, *told, "patches", "status"]
    assert (scores["cross_validation"]["n"], scores["cross_validation"]["correct"]) == (6, 2)


def test_methods_are_compared_pair_by_pair_on_labelled_rows(tmp_path):
    right = {"one": [1, 1, 0, 1, 0, 1], "two": [0, 1, 0, 0, 0, 1], "three": [1, 1, 1, 1, 1, 1]}
    paths = {}
    for method, hits in right.items():
        paths[method] = tmp_path / f"{len(method)}-{method}.tsv"
        rows = [
            {"split": "cv" if k < 4 else "test", "label": "GBM", "predicted": "GBM" if hit else "LGG"}
            for k, hit in enumerate(hits)
        ]
        rows.append({"split": "test", "label": "", "predicted": "GBM"})
        rows = [{**row, "status": "ok"} for row in rows]
        rows.append({"split": "test", "label": "LGG", "predicted": "", "status": "copy"})
        write_tsv(paths[method], ["split", "label", "predicted", "status"], rows)
    for name in ("a.json", "b.json"):
        write_comparison(tmp_path / name, paths)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    expected = [
        {"first": first, "second": second, "part": part, **mcnemar_exact(right[first][own], right[second][own])}
        for first, second in (("one", "two"), ("one", "three"), ("two", "three"))
        for part, own in (("cross_validation", slice(4)), ("test", slice(4, 6)))
    ]
    assert read_json(tmp_path / "a.json") == expected
    assert (expected[0]["only_a"], expected[0]["only_b"], expected[0]["p"]) == (2, 0, 0.5)


def methods(folder, hits, folds=None, **changed):
    """Write predictions and scores of some methods: who is right on which slide."""
    files = {"predictions": {}, "scores": {}}
    for method, right in hits.items():
        rows = [
            {"slide": f"s{k}", "split": "cv", "label": "GBM", "predicted": {1: "GBM", 0: "LGG", None: ""}[hit]}
            | {"fold": (folds or {}).get(method, [k % 2 for k in range(len(right))])[k], "status": "ok"}
            for k, hit in enumerate(right)
        ]
        rows.append({"slide": "t", "split": "test", "label": "GBM", "predicted": "LGG", "status": "ok"})
        rows.append({"slide": "again", "split": "cv", "label": "GBM", "predicted": "", "status": "copy"})
        files["predictions"][method] = folder / method / "predictions.tsv"
        write_tsv(files["predictions"][method], list(rows[0]), rows)
        found = {"n": len(right), "accuracy": sum(map(bool, right)) / len(right)}
        files["scores"][method] = folder / method / "scores.json"
        found["accuracy_ci95"] = exact_interval(sum(map(bool, right)), len(right))
        write_json(files["scores"][method], {"cross_validation": found})
    said = {method: {"kind": "svm", "note": "rebuilt" if method == "c" else ""} for method in hits}
    costs = {method: {"seconds": 12.5, "memory_gib": None} for method in hits}
    write_methods(folder / "comparison.tsv", said, **files, costs=costs)
    return read_tsv(folder / "comparison.tsv")


def test_methods_stand_side_by_side_each_paired_with_the_first(tmp_path):
    # a slide without a prediction is wrong
    table = methods(tmp_path, {"a": [1, 1, 1, 1, 0, 0], "b": [1, 1, 1, 1, 0, 0], "c": [0, None, 0, 1, 1, 0]})
    assert tuple(table[0]) == COLUMNS
    assert [row["method"] for row in table] == ["a", "b", "c"]
    assert [(row["difference"], row["p"]) for row in table[:2]] == [("", ""), ("0.0", "1.0")]
    first, _, last = table
    assert [first[key] for key in ("kind", "n", "seconds", "memory_gib", "note")] == ["svm", "6", "12.5", "", ""]
    assert [float(first[key]) for key in ("score", "ci_low", "ci_high")] == pytest.approx([4 / 6, 0.2227781, 0.9567281])
    assert last["note"] == "rebuilt"
    assert float(last["difference"]) == pytest.approx(2 / 6 - 4 / 6)
    # three slides on which only the first is right, one on which only the third is: 2 (1 + 4) / 2^4
    assert float(last["p"]) == pytest.approx(10 / 16)


def test_one_method_has_a_row_too(tmp_path):
    (row,) = methods(tmp_path, {"a": [1, 0]})
    assert (row["method"], row["score"], row["difference"], row["p"]) == ("a", "0.5", "", "")


def test_methods_that_were_judged_in_other_folds_are_refused(tmp_path):
    with pytest.raises(SlidecafError, match=r"b/predictions\.tsv: slide s1: fold is '0', and '1' in .*delete both"):
        methods(tmp_path, {"a": [1, 0], "b": [1, 0]}, folds={"b": [0, 0]})


def test_images_of_rare_classes_are_listed_on_neither_side_and_count_nowhere(tmp_path, files):
    rare = [
        {"slide": f"r{k}", "label": "DNT", "patient": f"r{k}", "split": split}
        for k, split in enumerate(["train", "test"])
    ]
    table, scores = write(tmp_path / "one", files, rows=[*ROWS, *rare], rare_classes={"DNT": 2}, item_name="image")
    _, without = write(tmp_path / "two", files)
    listed = {row["slide"]: row for row in table}
    for slide in ("r0", "r1"):
        assert [listed[slide][key] for key in ("split", "label", "predicted", "confidence", "status")] == [
            *("", "DNT", "", "", "few images")
        ]
    assert (scores["rare_classes"], scores["item_name"], without["rare_classes"]) == ({"DNT": 2}, "image", {})
    assert all(scores[part] == without[part] for part in ("cross_validation", "test"))

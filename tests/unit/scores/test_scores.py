import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from slidecaf.scores.classification import classification_scores, patient_scores
from slidecaf.scores.intervals import exact_interval, mean_interval
from slidecaf.scores.paired import compare_scores, mcnemar_exact, wilcoxon_paired
from slidecaf.scores.segmentation import dice, segmentation_scores, slide_scores

TWO = ("LGG", "GBM")


def two_classes(n=40, seed=0, patients=20):
    rng = np.random.default_rng(seed)
    labels = np.array([TWO[i % 2] for i in range(n)])
    confidence = np.round(rng.normal(size=n) + (labels == "GBM"), 1)  # rounded: some are equal
    predicted = np.where(confidence > 0, "GBM", "LGG")
    return labels, predicted, confidence, np.array([f"p{i % patients}" for i in range(n)])


def score(labels, predicted, confidence, patients, *, classes=TWO, **options):
    return classification_scores(
        labels, predicted, confidence, classes=classes, patients=patients, **{"bootstrap": 200} | options
    )


def test_scores_of_two_classes_agree_with_scikit_learn():
    labels, predicted, confidence, patients = two_classes()
    scores = score(labels, predicted, confidence, patients)
    positive = labels == "GBM"
    assert scores["n"] == 40
    assert scores["correct"] == (labels == predicted).sum() == round(scores["accuracy"] * 40)
    assert scores["auc"] == pytest.approx(roc_auc_score(positive, confidence), rel=1e-12)
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert scores["sensitivity"] == pytest.approx((predicted[positive] == "GBM").mean())
    assert scores["specificity"] == pytest.approx((predicted[~positive] == "LGG").mean())
    assert scores["confusion"]["GBM"]["LGG"] == (positive & (predicted == "LGG")).sum()
    assert sum(count for row in scores["confusion"].values() for count in row.values()) == 40
    assert scores["patients"]["all"] == 20
    assert scores["notes"] == []


def test_scores_are_json_and_the_same_each_time():
    data = two_classes()
    text = json.dumps(score(*data, folds=[0, 1] * 20), allow_nan=False)
    assert json.dumps(score(*data, folds=[0, 1] * 20), allow_nan=False) == text


def test_scores_do_not_depend_on_the_order_of_rows():
    order = np.random.default_rng(1).permutation(40)
    one, other = (score(*(c[rows] for c in two_classes())) for rows in (slice(None), order))
    assert one == other


@settings(max_examples=30)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_exact_intervals_are_clopper_pearson(case):
    hits, n = case
    low = betaincinv(hits, n - hits + 1, 0.025) if hits else 0
    high = betaincinv(hits + 1, n - hits, 0.975) if hits < n else 1
    assert exact_interval(hits, n) == pytest.approx([low, high], abs=1e-9)


def test_slides_without_prediction_are_wrong_and_stand_at_the_worst_end_of_the_auc():
    labels, predicted, confidence, patients = two_classes()
    predicted[[0, 1]], confidence[[0, 1]] = "", np.nan
    scores = score(labels, predicted, confidence, patients)
    worst = np.where(np.isnan(confidence), np.where(labels == "GBM", -1e9, 1e9), confidence)
    assert scores["auc"] == pytest.approx(roc_auc_score(labels == "GBM", worst), rel=1e-12)
    assert scores["correct"] == (labels[2:] == predicted[2:]).sum()
    assert scores["n"] == 40
    assert scores["no_prediction"] == 2
    assert scores["confusion"]["GBM"][""] == scores["confusion"]["LGG"][""] == 1
    assert scores["sensitivity"] == pytest.approx(np.mean(predicted[labels == "GBM"] == "GBM"))
    assert "2 of 40 slides without prediction" in scores["notes"][0]


def test_nothing_predicted_at_all_is_the_worst_score():
    labels, _, _, patients = two_classes()
    scores = score(labels, [""] * 40, [np.nan] * 40, patients)
    assert scores["accuracy"] == scores["auc"] == scores["balanced_accuracy"] == 0


def test_more_classes_have_an_auc_against_the_rest_each_and_their_mean():
    rng = np.random.default_rng(0)
    classes = ("a", "b", "c")
    labels = np.array(classes)[rng.integers(3, size=60)]
    confidence = rng.normal(size=(60, 3)) + (labels[:, None] == np.array(classes))
    predicted = np.array(classes)[confidence.argmax(axis=1)]
    scores = score(labels, predicted, confidence, np.arange(60), classes=classes)
    each = {name: roc_auc_score(labels == name, confidence[:, k]) for k, name in enumerate(classes)}
    assert scores["auc_by_class"] == pytest.approx(each)
    assert scores["auc"] == pytest.approx(np.mean(list(each.values())))
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert "sensitivity" not in scores
    low, high = scores["auc_bootstrap_ci95"]
    assert low < scores["auc"] < high


def test_folds_have_an_auc_of_their_own_where_it_is_defined():
    labels, predicted, confidence, patients = two_classes()
    folds = np.repeat([0, 1, 2], [20, 16, 4])
    labels[36:] = "GBM"
    scores = score(labels, predicted, confidence, patients, folds=folds)
    own = [roc_auc_score(labels[folds == k] == "GBM", confidence[folds == k]) for k in (0, 1)]
    assert scores["auc_by_fold"] == {"0": pytest.approx(own[0]), "1": pytest.approx(own[1]), "2": None}
    assert scores["auc_fold_mean"] == pytest.approx(np.mean(own))
    assert scores["auc_folds"] == 2


def test_what_needs_an_absent_class_is_none():
    scores = score(["GBM"] * 12, ["GBM"] * 12, np.ones(12), np.arange(12))
    assert scores["auc"] is scores["auc_bootstrap_ci95"] is None
    assert scores["specificity"] is scores["specificity_ci95"] is None
    assert scores["sensitivity"] == scores["balanced_accuracy"] == 1
    assert scores["notes"] == ["No slide of LGG: what needs one is undefined."]


def test_few_patients_are_noted_and_one_gives_no_bootstrap():
    labels, predicted, confidence, _ = two_classes()
    scores = score(labels, predicted, confidence, np.arange(40) % 9)
    assert scores["notes"] == ["9 patients: below 10, intervals mean little."]
    assert score(labels, predicted, confidence, ["p"] * 40)["accuracy_bootstrap_ci95"] is None


def test_the_bootstrap_draws_patients_not_slides():
    # 10 patients, wholly right or wholly wrong, so slides of one tell no more than one slide.
    rng = np.random.default_rng(0)
    right = rng.random(10) < 0.7
    labels = np.array([TWO[p % 2] for p in range(10) for _ in range(30)])
    wrong = np.where(labels == "GBM", "LGG", "GBM")
    predicted = np.where(np.repeat(right, 30), labels, wrong)
    confidence = np.where(predicted == "GBM", 1.0, -1.0)
    scores = score(labels, predicted, confidence, np.repeat(np.arange(10), 30), bootstrap=2000)
    low, high = scores["accuracy_bootstrap_ci95"]
    share = right.mean()
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 10), rel=0.15)
    exact_low, exact_high = scores["accuracy_ci95"]
    assert high - low > 4 * (exact_high - exact_low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["x", "GBM"]}, "no classes"),
        ({"predicted": ["x", "GBM"]}, "no classes"),
        ({"predicted": ["", "GBM"]}, "confidence without prediction"),
        ({"confidence": [np.nan, 1]}, "without confidence"),
        ({"confidence": [[1, 2], [1, 2]]}, "shape"),
        ({"labels": [], "predicted": [], "confidence": [], "patients": []}, "no row"),
    ],
)
def test_what_cannot_be_scored_is_an_error(change, message):
    data = {"labels": ["LGG", "GBM"], "predicted": TWO, "confidence": [-1, 1], "patients": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        score(**data | change)


def test_mcnemar_is_a_coin_tossed_for_each_slide_on_which_methods_differ():
    a = np.array([1] * 8 + [0] * 1 + [1] * 5 + [0] * 2, dtype=bool)
    b = np.array([0] * 8 + [1] * 1 + [1] * 5 + [0] * 2, dtype=bool)
    result = mcnemar_exact(a, b)
    assert (result["only_a"], result["only_b"], result["both"], result["neither"]) == (8, 1, 5, 2)
    assert result["p"] == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar_exact(a, a)["p"] == 1


def test_wilcoxon_ranks_the_differences():
    a, b = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), np.array([0.88, 0.75, 0.6, 0.4, 0.1, 0.4])
    result = wilcoxon_paired(a, b)
    assert result["differing"] == 5
    assert result["p"] == pytest.approx(2 / 2**5)  # all five the same way
    assert result["mean_difference"] == pytest.approx((a - b).mean())
    assert wilcoxon_paired(a, a)["p"] == 1
    with pytest.raises(ValueError, match="NaN"):
        wilcoxon_paired([np.nan], [1])


def test_a_slides_scores_are_those_of_its_pixels():
    rng = np.random.default_rng(0)
    true, predicted = rng.random((40, 30)) < 0.4, np.kron(rng.random((10, 15)) < 0.5, np.ones((4, 2), bool))
    truth = true.reshape(10, 4, 15, 2).sum(axis=(1, 3))
    confidence = rng.normal(size=(10, 15)).astype(np.float32)
    confidence[0, 0] = np.nan
    predicted[:4, :2] = False
    mask = predicted[::4, ::2]
    found = slide_scores(mask, confidence, truth, np.full((10, 15), 8), threshold=0.3)
    hit = (predicted & true).sum()
    assert found["score"] == pytest.approx(2 * hit / (predicted.sum() + true.sum()))
    assert found["precision"] == pytest.approx(hit / predicted.sum())
    assert found["recall"] == pytest.approx(hit / true.sum())
    assert (found["predicted_pixels"], found["true_pixels"]) == (predicted.sum(), true.sum())
    share = np.kron(np.nan_to_num(np.clip((confidence.astype(float) - 0.3 + 1) / 2, 0, 1)), np.ones((4, 2)))
    assert found["soft_score"] == pytest.approx(2 * (share * true).sum() / (share.sum() + true.sum()))


def test_dice_of_nothing_and_nothing_is_one_and_of_something_else_zero():
    assert dice(0, 0, 0) == 1
    assert dice(0, 5, 0) == dice(0, 0, 5) == 0
    assert dice(5, 5, 5) == 1
    empty = slide_scores(
        np.zeros((1, 1), bool), np.full((1, 1), np.nan), np.zeros((1, 1)), np.ones((1, 1)), threshold=0
    )
    assert (empty["score"], empty["soft_score"], empty["precision"], empty["recall"]) == (1, 1, None, None)


def segmented(score, true, patient, area=1000):
    return {
        "score": score,
        "precision": None if score == 1 else score,
        "recall": score,
        "soft_score": score / 2,
        "true_pixels": true,
        "area": area,
        "patient": patient,
    }


def test_means_over_slides_tell_empty_ones_apart():
    rows = [segmented(1.0, 0, "a"), segmented(0.0, 0, "a"), segmented(0.5, 5, "b"), segmented(0.7, 100, "c")]
    found = segmentation_scores(rows)
    assert found["score"] == pytest.approx(0.55)
    assert (found["empty"], found["empty_right"], found["nonempty"], found["above_1_percent"]) == (2, 1, 2, 1)
    assert found["score_nonempty"] == pytest.approx(0.6)
    assert found["score_above_1_percent"] == pytest.approx(0.7)
    assert found["precision"] == pytest.approx(0.4)
    assert found["patients"] == 3
    assert any("score 0 or 1" in note for note in found["notes"])
    with pytest.raises(ValueError, match="no slide"):
        segmentation_scores([])


def test_the_interval_of_a_mean_draws_whole_patients():
    values, patients = [0.0] * 10 + [1.0] * 10, ["a"] * 10 + ["b"] * 10
    assert mean_interval(values, patients) == [0.0, 1.0]  # two patients: a draw holds either or both
    assert mean_interval(values, ["a"] * 20) is None
    low, high = mean_interval(values, [str(k) for k in range(20)])
    assert 0.2 < low < 0.5 < high < 0.8


@pytest.mark.parametrize(
    ("shift", "said"), [(0.2, "hard is better"), (-0.2, "hard is worse"), (0.0, "hard equals plain on every slide")]
)
def test_a_comparison_says_which_is_better(shift, said):
    plain = np.linspace(0.3, 0.7, 12)
    found = compare_scores(plain + shift, plain, [str(k) for k in range(12)], names=("hard", "plain"))
    assert said in found["verdict"]
    assert found["mean_difference"] == pytest.approx(shift)
    assert (found["better"], found["worse"]) == (12 * (shift > 0), 12 * (shift < 0))


def test_a_comparison_that_decides_nothing_says_so():
    plain = np.linspace(0.3, 0.7, 12)
    hard = plain + 0.1 * (-1) ** np.arange(12)
    found = compare_scores(hard, plain, [str(k) for k in range(12)], names=("hard", "plain"))
    assert "do not show which is better" in found["verdict"]
    assert found["difference_ci95"][0] < 0 < found["difference_ci95"][1]


def test_a_slide_that_could_not_be_read_counts_0_and_not_as_empty():
    read = {"patient": "a", "area": 100, "score": 0.6, "precision": 0.75, "recall": 0.5, "soft_score": 0.55}
    read |= {"predicted_pixels": 40, "true_pixels": 60}
    scores = segmentation_scores([read, {"patient": "b", "score": 0.0, "predicted_pixels": 0, "area": 1}])
    assert (scores["n"], scores["score"], scores["empty"], scores["score_nonempty"]) == (2, 0.3, 0, 0.3)
    assert (scores["precision"], scores["score_above_1_percent"]) == (0.75, 0.6)


def many_classes(n=80, seed=0, classes=("a", "b", "c", "d")):
    rng = np.random.default_rng(seed)
    labels = np.array(classes)[rng.choice(len(classes), size=n, p=[0.5, 0.3, 0.15, 0.05])]
    confidence = np.round(rng.normal(size=(n, len(classes))) + 1.2 * (labels[:, None] == np.array(classes)), 1)
    return labels, np.array(classes)[confidence.argmax(axis=1)], confidence, np.array([f"p{i % 50}" for i in range(n)])


def test_each_class_has_the_scores_of_scikit_learn():
    labels, predicted, confidence, patients = many_classes()
    classes = ("a", "b", "c", "d")
    found = score(labels, predicted, confidence, patients, classes=classes)["by_class"]
    for k, name in enumerate(classes):
        own, guessed = labels == name, predicted == name
        known = dict(found[name])
        intervals = [known.pop(f"{key}_ci95") for key in ("sensitivity", "specificity")]
        assert intervals[0] == exact_interval(int((own & guessed).sum()), int(own.sum()))
        assert intervals[1] == exact_interval(int((~own & ~guessed).sum()), int((~own).sum()))
        assert known == pytest.approx(
            {
                "n": own.sum(),
                "predicted": guessed.sum(),
                "accuracy": accuracy_score(own, guessed),
                "sensitivity": recall_score(own, guessed),
                "specificity": recall_score(~own, ~guessed),
                "ppv": precision_score(own, guessed),
                "npv": precision_score(~own, ~guessed),
                "f1": f1_score(own, guessed),
                "auc": roc_auc_score(own, confidence[:, k]),
                "average_precision": average_precision_score(own, confidence[:, k]),
            }
        )


def test_with_two_classes_each_is_the_other_turned_round():
    labels, predicted, confidence, patients = two_classes()
    scores = score(labels, predicted, confidence, patients)
    LGG, GBM = (scores["by_class"][name] for name in TWO)
    assert GBM["sensitivity"] == LGG["specificity"] == scores["sensitivity"]
    assert GBM["ppv"] == LGG["npv"]
    assert GBM["auc"] == pytest.approx(LGG["auc"], rel=1e-12)
    assert GBM["auc"] == scores["auc"]
    assert LGG["average_precision"] == pytest.approx(average_precision_score(labels == "LGG", -confidence))


def test_a_slide_without_prediction_is_wrong_for_its_class_and_for_every_other():
    labels, predicted, confidence, patients = many_classes()
    first = int(np.flatnonzero(labels == "b")[0])
    predicted[first], confidence[first] = "", np.nan
    found = score(labels, predicted, confidence, patients, classes=("a", "b", "c", "d"))["by_class"]
    assert found["b"]["sensitivity"] == np.mean(predicted[labels == "b"] == "b")
    others = labels != "a"
    assert found["a"]["specificity"] == np.mean((predicted[others] != "a") & (predicted[others] != ""))
    told = (predicted != "a") & (predicted != "")
    assert found["a"]["npv"] == pytest.approx(np.mean(labels[told] != "a"))
    worst = np.where(predicted == "", 1e9, confidence[:, 0])
    assert found["a"]["average_precision"] == pytest.approx(average_precision_score(labels == "a", worst))


def test_balanced_accuracy_has_the_interval_of_patients_drawn_anew():
    labels, predicted, confidence, patients = many_classes()
    classes = ("a", "b", "c", "d")
    scores = score(labels, predicted, confidence, patients, classes=classes, bootstrap=300, seed=5)
    names, rng, drawn = np.unique(patients), np.random.default_rng(5), []
    for _ in range(300):
        chosen = names[rng.integers(len(names), size=len(names))]
        rows = np.concatenate([np.flatnonzero(patients == name) for name in chosen])
        if set(labels[rows]) == set(classes):  # a draw without a class says nothing of it
            drawn.append(balanced_accuracy_score(labels[rows], predicted[rows]))
    assert 0 < len(drawn) < 300
    assert scores["balanced_accuracy_ci95"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())
    assert scores["balanced_accuracy_ci95"][0] < scores["balanced_accuracy"] < scores["balanced_accuracy_ci95"][1]


def test_a_class_without_slides_or_predictions_has_no_shares():
    found = score(["GBM"] * 12, ["GBM"] * 12, np.ones(12), np.arange(12))["by_class"]
    assert found["LGG"]["sensitivity"] is found["LGG"]["ppv"] is found["LGG"]["f1"] is None
    assert found["LGG"]["average_precision"] is found["LGG"]["auc"] is None
    assert (found["GBM"]["sensitivity"], found["GBM"]["npv"]) == (1, None)


def test_a_patients_confidence_is_the_mean_of_its_slides():
    labels, predicted, confidence, patients = two_classes()
    confidence[3], predicted[3] = np.nan, ""
    found = score(labels, predicted, confidence, patients)["patients"]
    names = sorted(set(patients))
    truth = {name: set(labels[patients == name]) for name in names}
    counted = [name for name in names if len(truth[name]) == 1]
    assert (found["all"], found["several_labels"], found["n"]) == (len(names), len(names) - len(counted), len(counted))
    means = np.array([np.nanmean(confidence[patients == name]) for name in counted])
    positive = np.array(["GBM" in truth[name] for name in counted])
    assert found["correct"] == ((means > 0) == positive).sum()
    assert found["accuracy_ci95"] == exact_interval(found["correct"], found["n"])
    assert found["auc"] == pytest.approx(roc_auc_score(positive, means))


def test_a_patient_without_any_confidence_is_wrong_and_one_of_two_classes_counts_nowhere():
    found = patient_scores(
        ["a", "a", "b", "b", "a"],
        [[2.0, 1.0], [np.nan, np.nan], [0.0, 1.0], [0.5, 1.0], [1.0, 0.0]] @ np.eye(2, 3),
        classes=["a", "b", "c"],
        patients=["p", "q", "r", "s", "s"],
    )
    assert (found["all"], found["several_labels"], found["n"], found["correct"]) == (4, 1, 3, 2)
    none = patient_scores(["a", "b"], [1.0, 2.0], classes=["a", "b"], patients=["p", "p"])
    assert (none["n"], none["accuracy"], none["auc"]) == (0, None, None)

import json
import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from slidecaf.classification.choice import choose
from slidecaf.classification.folds import assign_folds
from slidecaf.classification.selection import rank_features, select
from slidecaf.classification.svm import fit_svm
from slidecaf.errors import SlidecafError

TWO = ("LGG", "GBM")
GRID = {"features": ["cnn"], "norm": [3], "keep": [5], "C": [0.01, 1]}


def study(n=36, d=30, shift=1.0, classes=TWO, seed=0, patients=None):
    """Pooled vectors whose first features tell the classes apart, by `shift`."""
    rng = np.random.default_rng(seed)
    patient = np.arange(n) % (patients or n // 2)
    labels = np.array([classes[p % len(classes)] for p in patient])
    pooled = rng.gamma(2, size=(n, d))
    for k, name in enumerate(classes):
        pooled[labels == name, k] += shift
    return pooled, labels, np.array([f"p{p:02}" for p in patient])


def run(*arguments, **options):
    """The choice without what was fitted."""
    return run_both(*arguments, **options)[0]


def run_both(pooled, labels, groups, *, classes=TWO, grid=GRID, **options):
    data = pooled if isinstance(pooled, dict) else {("cnn", 3.0): pooled}
    defaults = {"inner_folds": 3, "seed": 0, "max_iter": 100_000, "method": "svm-cnn"}
    return choose(data, labels, groups, classes=classes, grid=grid, **defaults | options)


def accuracies(choice):
    return {(c["features"], c["norm"], c["keep"], c["C"]): c["accuracy"] for c in choice["candidates"]}


def test_inner_accuracies_are_those_of_the_recipe_written_out():
    pooled, labels, groups = study()
    other = np.random.default_rng(9).gamma(2, size=(36, 20)) + 0.7 * (labels == "GBM")[:, None]
    grid = {"features": ["cnn", "other"], "norm": [3], "keep": [3, 8], "C": [0.01, 1]}
    choice = run({("cnn", 3.0): pooled, ("other", 3.0): other}, labels, groups, grid=grid)

    folds = assign_folds(labels, groups, 3, seed=0)
    expected = {}
    for name, v in (("cnn", pooled), ("other", other)):
        for keep in (3, 8):
            for C in (0.01, 1):
                hits = 0
                for fold in range(3):
                    t, y = folds != fold, labels == "GBM"
                    diff = abs(v[t & y].mean(axis=0) - v[t & ~y].mean(axis=0))
                    top = np.argsort(-diff)[:keep]
                    svm = SVC(kernel="linear", C=C).fit(v[t][:, top], y[t])
                    hits += (svm.predict(v[~t][:, top]) == y[~t]).sum()
                expected[name, 3, keep, C] = hits / 36
    assert accuracies(choice) == expected
    assert choice["accuracy"] == max(expected.values())
    assert choice["n"] == 36
    assert choice["dropped"] == []
    assert len(set(expected.values())) > 1


def test_the_choice_is_json_and_the_same_each_time():
    grid = {"features": ["cnn"], "norm": [1, 2.5, "inf"], "keep": [5], "C": [1]}
    pooled, labels, groups = study()
    data = {("cnn", norm): pooled for norm in (1.0, 2.5, math.inf)}
    first, again = (json.dumps(run(data, labels, groups, grid=grid), allow_nan=False) for _ in range(2))
    assert first == again
    assert [c["norm"] for c in json.loads(first)["candidates"]] == [1, 2.5, "inf"]


def test_what_was_chosen_comes_with_its_selection_and_svm_of_all_training_rows():
    pooled, labels, groups = study()
    choice, fitted = run_both(pooled, labels, groups, grid={**GRID, "keep": [3, 8]})
    positive = labels == "GBM"
    difference = abs(pooled[positive].mean(axis=0) - pooled[~positive].mean(axis=0))
    np.testing.assert_allclose(fitted.difference, difference, rtol=1e-12)
    kept = np.argsort(-difference)[: choice["chosen"]["keep"]]
    assert fitted.selection.tolist() == kept.tolist()
    svm = SVC(kernel="linear", C=choice["chosen"]["C"]).fit(pooled[:, kept], positive)
    expected = svm.decision_function(pooled[:, kept])
    np.testing.assert_allclose(fitted.model.decision(pooled[:, kept]), expected, rtol=1e-9)


def test_ties_go_to_the_simpler_model():
    pooled, labels, groups = study(shift=50)  # every candidate is always right
    grid = {"features": ["b", "a"], "norm": ["inf", 3], "keep": [9, 4], "C": [10, 0.1]}
    data = {(name, norm): pooled for name in "ab" for norm in (3.0, math.inf)}
    choice = run(data, labels, groups, grid=grid)
    assert set(accuracies(choice).values()) == {1}
    assert choice["chosen"] == {"features": "b", "norm": 3, "keep": 4, "C": 0.1}


def test_a_better_candidate_beats_a_simpler_one():
    good, labels, groups = study(shift=50)
    noise = np.random.default_rng(3).gamma(2, size=good.shape)
    grid = {"features": ["noise", "good"], "norm": [3], "keep": [2], "C": [1]}
    choice = run({("noise", 3.0): noise, ("good", 3.0): good}, labels, groups, grid=grid)
    assert choice["chosen"]["features"] == "good"


def test_inner_folds_shrink_to_the_rarest_class_and_the_choice_says_so():
    pooled, labels, groups = study(n=30, patients=5)  # LGG: p00, p02, p04; GBM: p01, p03
    choice = run(pooled, labels, groups)
    assert (choice["inner_folds"], choice["inner_folds_wanted"]) == (2, 3)
    assert "in 2 folds inside the training rows instead of 3, since class GBM has 2" in choice["note"]
    assert run(pooled, labels, groups, inner_folds=2)["note"].endswith("in 2 folds inside the training rows.")


def test_one_candidate_needs_no_cross_validation_even_with_one_patient_a_class():
    pooled, labels, groups = study(n=10, patients=2)
    choice = run(pooled, labels, groups, grid={**GRID, "C": [1]})
    assert choice["chosen"] == {"features": "cnn", "norm": 3, "keep": 5, "C": 1}
    assert choice["inner_folds"] is choice["accuracy"] is None
    assert choice["candidates"] == [choice["chosen"] | {"correct": None, "accuracy": None}]
    with pytest.raises(SlidecafError, match=r"svm-cnn: class GBM has one patient \(p01\).*one value for each"):
        run(pooled, labels, groups)


def test_candidates_that_do_not_converge_are_dropped_and_listed():
    pooled, labels, groups = study(shift=0)
    choice = run(pooled * 100, labels, groups, grid={**GRID, "C": [1e-6, 1000]}, max_iter=2000)
    assert choice["chosen"]["C"] == 1e-6
    assert accuracies(choice)["cnn", 3, 5, 1000] is None
    assert [(c["C"], c["reason"]) for c in choice["dropped"]] == [
        (1000, "no convergence in 2000 iterations in an inner fold")
    ]
    with pytest.raises(SlidecafError, match=r"svm-cnn: no candidate's SVM converged .*raise max_iter"):
        run(pooled * 100, labels, groups, grid={**GRID, "C": [100, 1000]}, max_iter=10)
    with pytest.raises(SlidecafError, match="no candidate's SVM converged"):
        run(pooled * 100, labels, groups, grid={**GRID, "C": [1000]}, max_iter=10)


def test_a_candidate_that_fails_only_on_all_training_rows_gives_way_to_the_next():
    pooled, labels, groups = study(shift=2)

    def iterations(rows, C):
        columns = select(rank_features(pooled[rows], labels[rows], classes=TWO)[1], 5)
        fit = fit_svm(pooled[rows][:, columns], labels[rows], C=C, classes=TWO, max_iter=-1)
        return fit.iterations[0]

    # A limit that the SVMs of all inner folds keep to, and the one of all rows does not.
    folds, every = assign_folds(labels, groups, 3, seed=0), np.ones(len(labels), dtype=bool)
    limit = {C: 1 + max(iterations(folds != k, C) for k in range(3)) for C in np.geomspace(0.1, 10, 30)}
    failing = next(C for C in limit if iterations(every, C) > limit[C])
    noise = np.random.default_rng(1).random(pooled.shape) / 1000  # so small that every SVM is soon done
    data = {("cnn", 3.0): pooled, ("noise", 3.0): noise}
    grid = {**GRID, "features": ["cnn", "noise"], "C": [failing]}
    choice = run(data, labels, groups, grid=grid, max_iter=limit[failing])
    cnn, other = accuracies(choice).values()
    assert cnn > other == choice["accuracy"]
    assert choice["chosen"]["features"] == "noise"
    assert [c["features"] for c in choice["dropped"]] == ["cnn"]
    assert choice["dropped"][0]["reason"].endswith("on all training rows")


def test_keep_above_the_dimension_names_method_feature_set_and_numbers():
    pooled, labels, groups = study()
    for C in ([1], [1, 10]):
        with pytest.raises(SlidecafError, match="svm-cnn, feature set cnn: keep: 31 is above the 30 features"):
            run(pooled, labels, groups, grid={**GRID, "keep": [31], "C": C})


def test_a_class_that_lost_its_rows_is_an_error():
    pooled, labels, groups = study()
    rows = labels == "GBM"
    with pytest.raises(SlidecafError, match="class LGG has no slide with tissue in the training rows"):
        run(pooled[rows], labels[rows], groups[rows])


def test_more_than_two_classes_are_chosen_for_too():
    classes = ("a", "b", "c")
    pooled, labels, groups = study(n=45, shift=3, classes=classes, patients=15)
    choice = run(pooled, labels, groups, classes=classes)
    assert choice["accuracy"] > 0.7


def nested(pooled, labels, groups, folds):
    """The whole procedure: for each fold its choice, model and predictions."""
    grid = {"features": ["cnn"], "norm": [3], "keep": [3, 10], "C": [0.001, 0.01, 0.1]}
    for fold in np.unique(folds):
        train, held = folds != fold, folds == fold
        choice = run(pooled[train], labels[train], groups[train], grid=grid)
        difference, order = rank_features(pooled[train], labels[train], classes=TWO)
        columns = select(order, choice["chosen"]["keep"])
        model = fit_svm(
            pooled[train][:, columns], labels[train], C=choice["chosen"]["C"], classes=TWO, max_iter=100_000
        )
        text = json.dumps([choice, difference.tolist(), columns.tolist(), model.to_dict()])
        yield held, text, model.predict(pooled[held][:, columns])


def test_random_labels_are_predicted_at_chance():
    pooled, _, groups = study(n=48, d=200, patients=24)
    hits = []
    for shuffle in range(12):
        rng = np.random.default_rng(shuffle)
        of_patient = dict(zip(np.unique(groups), rng.permutation(TWO * 12), strict=True))
        labels = np.array([of_patient[group] for group in groups])
        folds = assign_folds(labels, groups, 3, seed=shuffle)
        for held, _, predicted in nested(pooled, labels, groups, folds):
            hits += (predicted == labels[held]).tolist()
    # Three standard errors of 12 x 24 patients.
    assert abs(np.mean(hits) - 0.5) < 3 * 0.5 / math.sqrt(12 * 24)


def test_held_out_labels_change_nothing_in_the_choice_and_model_of_their_fold():
    pooled, labels, groups = study()
    fixed = [int(group[1:]) // 6 for group in groups]
    folds = assign_folds(labels, groups, 3, fixed=fixed)
    before = list(nested(pooled, labels, groups, folds))
    for fold, (held, text, predicted) in enumerate(before):
        changed = labels.copy()
        changed[held] = np.where(labels[held] == "GBM", "LGG", "GBM")
        after = list(nested(pooled, changed, groups, assign_folds(changed, groups, 3, fixed=fixed)))
        assert after[fold][1] == text
        assert (after[fold][2] == predicted).all()
        assert after[fold - 1][1] != before[fold - 1][1]  # there, these labels are trained on


def test_all_keeps_every_feature_is_listed_by_rank_and_is_the_last_of_equals():
    pooled, labels, groups = study()
    grid = {**GRID, "keep": ["all"], "C": [1]}
    choice, fitted = run_both(pooled, labels, groups, grid=grid)
    assert choice["chosen"]["keep"] == "all"
    assert fitted.selection.tolist() == rank_features(pooled, labels, classes=TWO)[1].tolist()
    assert sorted(fitted.selection.tolist()) == list(range(30))
    svm = SVC(kernel="linear", C=1).fit(pooled[:, fitted.selection], labels == "GBM")
    np.testing.assert_allclose(fitted.model.coef, svm.coef_, rtol=1e-6)
    same = run(np.ones((36, 4)) * (labels == "GBM")[:, None], labels, groups, grid={**GRID, "keep": ["all", 2, 3]})
    assert {one["correct"] for one in same["candidates"]} == {36}
    assert same["chosen"]["keep"] == 2


def rare_class(seed=2):
    """Three classes of which one is rare, and features of very different scales."""
    pooled, labels, groups = study(n=75, d=12, shift=0.8, classes=("a", "b", "c"), patients=75, seed=seed)
    kept = (labels != "c") | (np.arange(75) % 9 < 4)
    return (pooled * np.geomspace(0.1, 10, 12))[kept], labels[kept], groups[kept]


@pytest.mark.parametrize("choose_by", ["accuracy", "balanced_accuracy", "auc"])
def test_scaling_and_weights_are_candidates_judged_by_what_is_asked_for(choose_by):
    pooled, labels, groups = rare_class()
    classes, grid = ("a", "b", "c"), {**GRID, "keep": ["all"], "C": [0.01, 1]}
    grid |= {"scale": ["none", "standard"], "class_weight": ["none", "balanced"]}
    choice, fitted = run_both(pooled, labels, groups, classes=classes, grid=grid, choose_by=choose_by)

    folds, expected = assign_folds(labels, groups, 3, seed=0), {}
    for scale in grid["scale"]:
        for weight in grid["class_weight"]:
            for C in grid["C"]:
                confidence = np.empty((len(labels), 3))
                for fold in range(3):
                    svm = SVC(kernel="linear", C=C, class_weight=None if weight == "none" else weight)
                    model = make_pipeline(StandardScaler(), svm) if scale == "standard" else svm
                    model.fit(pooled[folds != fold], labels[folds != fold])
                    confidence[folds == fold] = model.decision_function(pooled[folds == fold])
                predicted = np.array(classes)[confidence.argmax(axis=1)]
                expected[C, scale, weight] = {
                    "accuracy": (predicted == labels).mean(),
                    "balanced_accuracy": balanced_accuracy_score(labels, predicted),
                    "auc": np.mean([roc_auc_score(labels == name, confidence[:, k]) for k, name in enumerate(classes)]),
                }
    found = {(c["C"], c["scale"], c["class_weight"]): c for c in choice["candidates"]}
    for setting, scores in expected.items():
        assert found[setting]["accuracy"] == pytest.approx(scores["accuracy"])
        assert found[setting][choose_by] == pytest.approx(scores[choose_by])
    best = max(scores[choose_by] for scores in expected.values())
    assert choice[choose_by] == pytest.approx(best)
    chosen = tuple(choice["chosen"][key] for key in ("C", "scale", "class_weight"))
    assert expected[chosen][choose_by] == pytest.approx(best)
    svm = SVC(kernel="linear", C=chosen[0], class_weight=None if chosen[2] == "none" else chosen[2])
    whole = (make_pipeline(StandardScaler(), svm) if chosen[1] == "standard" else svm).fit(pooled, labels)
    selected = pooled[:, fitted.selection]
    np.testing.assert_allclose(fitted.model.decision(selected), whole.decision_function(pooled), rtol=1e-6)


def test_balanced_weights_find_a_rare_class_where_they_are_chosen_by_balanced_accuracy():
    pooled, labels, groups = rare_class(seed=4)
    grid = {**GRID, "keep": ["all"], "C": [0.001], "scale": ["standard"], "class_weight": ["none", "balanced"]}
    choice = run(pooled, labels, groups, classes=("a", "b", "c"), grid=grid, choose_by="balanced_accuracy")
    assert choice["chosen"]["class_weight"] == "balanced"


def test_of_equals_the_one_without_scaling_and_weights_is_taken_and_defaults_are_not_named():
    pooled, labels, groups = study(shift=50)
    grid = {**GRID, "scale": ["standard", "none"], "class_weight": ["balanced", "none"], "C": [1]}
    choice = run(pooled, labels, groups, grid=grid)
    assert choice["chosen"] == {
        "features": "cnn",
        "norm": 3,
        "keep": 5,
        "C": 1,
        "scale": "none",
        "class_weight": "none",
    }
    plain = run(pooled, labels, groups, grid={**GRID, "scale": ["none"], "class_weight": ["none"]})
    assert plain == run(pooled, labels, groups)
    assert set(plain["chosen"]) == {"features", "norm", "keep", "C"}


def test_one_against_the_rest_is_chosen_for_too():
    pooled, labels, groups = study(n=45, shift=3, classes=("a", "b", "c"), patients=15)
    choice, fitted = run_both(pooled, labels, groups, classes=("a", "b", "c"), scheme="one-vs-rest")
    assert fitted.model.pairs == (("", "a"), ("", "b"), ("", "c"))
    assert choice["accuracy"] > 0.7

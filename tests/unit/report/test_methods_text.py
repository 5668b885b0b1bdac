"""What the methods' paragraph says of an SVM's settings."""

import pytest

from slidecaf.report.methods import classification_text
from slidecaf.study.config import Classification

FOUND = {"n": 10, "patients": {"all": 10}, "correct": 7, "accuracy": 0.7, "accuracy_ci95": [0.3, 0.9], "auc": None}


def text(classes=("a", "b", "c"), **settings):
    method = {"features": ["cnn"], "C": [1, 10], **settings}
    task = Classification.model_validate({"sheet": "c.tsv", "methods": {"svm": method}})
    scores = {"classes": list(classes), "cross_validation": FOUND, "test": None}
    return classification_text(task, task.methods["svm"], scores, {"scikit-learn": "1"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "told a, b and c apart, by an SVM a pair. Its C (candidates 1, 10)"),
        ({"scheme": "one-vs-rest"}, "told a, b and c apart, by an SVM a class. Its C"),
        ({"scale": ["none", "standard"]}, "standardised by the training slides (candidates none, standard). Its C"),
        ({"class_weight": ["balanced"]}, "weights of classes (candidates balanced). Its C"),
        ({"choose_by": "balanced_accuracy"}, "were chosen, for the largest balanced accuracy, by 3-fold"),
    ],
)
def test_it_says_what_is_chosen_from_and_by_what(settings, said):
    assert said in text(**settings)


def test_two_classes_need_no_scheme():
    assert "told a and b apart. Its C" in text(classes=("a", "b"), scheme="one-vs-rest")

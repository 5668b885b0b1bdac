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


def network_text(**settings):
    task = Classification.model_validate(
        {"sheet": "c.tsv", "item_name": "image", "methods": {"cnn": {"kind": "network", **settings}}}
    )
    scores = {"classes": ["a", "b"], "cross_validation": FOUND, "test": None}
    return classification_text(task, task.methods["cnn"], scores, {"torchvision": "2"})


def test_it_says_how_patches_are_learned_from():
    said = network_text(patches_of="cnn", patches_per_slide=5)
    assert (
        "trained from random values on patches of the training images with the image's label, at most 5 of each" in said
    )
    assert "image an epoch, drawn anew each time, at 128 px" in said
    assert "The probability of each image is the mean of those of all its patches." in said


def test_it_says_how_a_network_was_trained():
    said = network_text(grey=True)
    assert "the convolutional network of Menkovski et al. (2015)" in said
    assert (
        "trained from random values on the training images, whole, in grey, at 128 px, changed anew for every epoch"
        in said
    )
    assert "cross entropy, classes weighted alike; AdamW (learning rate 0.001, cosine; weight decay 0.0001" in said
    said = network_text(architecture="resnet18", weights="own/net.pth", tuned_blocks=2, augment=None, optimiser="sgd")
    assert "resnet18 as implemented in torchvision 2, trained from the weights net.pth, the last 2 blocks" in said
    assert "at 224 px, as they are." in said

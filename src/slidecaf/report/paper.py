"""Papers' results, as printed.

Of slides: Xu et al., ICASSP 2015, Tables 1 to 3 and section 5.4. Numbers of slides are those of section 5.1: 45 to
train and 40 to test the classification, 35 and 21 for the segmentation. The accuracies of Tables 1 and 2 are whole
numbers of these slides.

Of collections of images: H. Kari, internship report, LIS, 2018, Figures 9 and 10; Menkovski et al., NIPS workshop 2015,
Table 1; Pan et al., IEEE TIP 2019, the column of 15 scenes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A row of one of the paper's tables.

    Attributes
    ----------
    name : str
        Of the method, or which place in the challenge.
    value : float
        Accuracy or mean score S, a share.
    correct, n : int or None
        The slides behind it; None for scores, which are no counts.
    ours : bool
        Whether it is the paper's own method.
    """

    name: str
    value: float
    correct: int | None = None
    n: int | None = None
    ours: bool = False


CHALLENGE_SLIDES, TRAINING_SLIDES = 40, 45

CHALLENGE_CLASSIFICATION = (
    Entry("SVM-CNN, the paper's method (1st place)", 0.975, 39, CHALLENGE_SLIDES, ours=True),
    Entry("2nd place", 0.900, 36, CHALLENGE_SLIDES),
    Entry("3rd place", 0.850, 34, CHALLENGE_SLIDES),
    Entry("4th place", 0.750, 30, CHALLENGE_SLIDES),
)
"""Table 1: the challenge's test slides."""

METHODS_CLASSIFICATION = (
    Entry("SVM-CNN, the paper's method", 0.978, 44, TRAINING_SLIDES, ours=True),
    Entry("MCIL, multiple clustered instance learning", 0.911, 41, TRAINING_SLIDES),
    Entry("SVM-MF, hand-made features", 0.778, 35, TRAINING_SLIDES),
    Entry("Image-level SVM, whole slides at 224 px", 0.622, 28, TRAINING_SLIDES),
)
"""Table 2: 3-fold cross-validation on the challenge's training slides."""

CHALLENGE_SEGMENTATION = (
    Entry("SVM-CNN, the paper's method (1st place)", 0.84, ours=True),
    Entry("2nd place", 0.73),
    Entry("3rd place", 0.68),
    Entry("4th place", 0.63),
)
"""Table 3: the mean score S on the challenge's 21 test slides."""

METHODS_SEGMENTATION = (
    Entry("SVM-CNN, the paper's method", 0.84, ours=True),
    Entry("SVM-MF, hand-made features", 0.64),
)
"""Section 5.4: mean scores of the paper's own comparison."""

FIGURE_SEGMENTATION = (
    "GraphRLM, the paper's third method, stands in its Figure 6 only, without a number: the authors call it unsuitable "
    "for necrosis."
)
"""Section 5.4 on the method that has no score."""

VGG_LAYERS = (
    {
        "title": "VGG-19, mini-MIT scenes (Kari 2018, Figure 9)",
        "scales": (224, 544, 864, 1184),
        "rows": (
            ("block5", "max", (0.78, 0.78, 0.72, 0.77)),
            ("block5", "average", (0.78, 0.82, 0.71, 0.73)),
            ("fc1", "max", (0.83, 0.78, 0.72, 0.77)),
            ("fc1", "average", (0.83, 0.79, 0.77, 0.74)),
            ("fc2", "max", (0.82, 0.89, 0.75, 0.83)),
            ("fc2", "average", (0.82, 0.88, 0.82, 0.73)),
        ),
    },
    {
        "title": "VGG-19, chest X-rays (Kari 2018, Figure 10)",
        "scales": (224, 544),
        "rows": (
            ("block5", "max", (0.74, 0.76)),
            ("block5", "average", (0.75, 0.77)),
            ("fc1", "average", (0.75, 0.77)),
            ("fc2", "average", (0.75, 0.77)),
        ),
    },
)
"""Layer, pooling of its map and accuracy at each scale. At 224 px a fully connected layer has one place, and the value
that is printed once stands in both rows. Of its two at 544 px on the X-rays one is printed."""

ANATOMY = (
    Entry("OverFeat (fast) and a linear SVM", 0.9242, ours=True),
    Entry("custom CNN, trained on the X-rays", 0.9514),
)
"""Menkovski et al. 2015, Table 1: 24 classes of 14,676 X-rays, a tenth of them the test."""

SKIN_STAGES = (
    {"name": "stage 1", "melanoma": 0.782, "keratosis": 0.860, "mean": 0.821},
    {"name": "stages 1 and 2", "melanoma": 0.807, "keratosis": 0.909, "mean": 0.858},
)
"""Jia and Shen 2017, Table 1: AUC of two binary tasks on the validation images of ISIC 2017."""

SCENES_FISHER = (
    ("AlexNet", 0.8893, 0.9157, 0.9180),
    ("VGG-M", 0.8988, 0.9234, 0.9307),
    ("VGG-16", 0.9343, 0.9510, 0.9515),
    ("VGG-19", 0.9351, 0.9489, 0.9497),
    ("ResNet-50", 0.9461, 0.9566, 0.9570),
    ("ResNet-101", 0.9465, 0.9593, 0.9611),
    ("ResNet-152", 0.9511, 0.9578, 0.9605),
)
"""Pan et al. 2019, 15 scenes: network, and the accuracy of FV, IFV and fFV."""

"""The paper's results, as printed: Xu et al., ICASSP 2015, Tables 1 to 3 and section 5.4.

Numbers of slides are those of section 5.1: 45 to train and 40 to test the classification, 35 and 21 for the
segmentation. The accuracies of Tables 1 and 2 are whole numbers of these slides.
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

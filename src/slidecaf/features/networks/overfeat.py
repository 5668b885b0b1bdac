"""OverFeat, the fast model, by the table of its paper: Sermanet et al., 2013, arXiv 1312.6229, Table 1.

No weights of it are published in a form that torch loads, so a study gives its own by a path, or random ones.
"""

from torch import nn


class OverFeatFast(nn.Module):
    """Five convolutions, three poolings, fully connected layers of 3,072, 4,096 and 1,000 values.

    Its layer of 4,096 values is ``classifier.3``, after the ReLU.

    Attributes
    ----------
    own_size : int
        Px of the side of the images that it was made for; the last map has 6 x 6 places.
    mean, std : tuple of float
        By which R, G and B are normalised, on a scale of 0 to 1: one number for all three.
    """

    own_size = 231
    mean, std = (118.380948 / 255,) * 3, (61.896913 / 255,) * 3

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(96, 256, 5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(256, 512, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 1024, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Linear(1024 * 6 * 6, 3072),
            nn.ReLU(inplace=True),
            nn.Linear(3072, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 1000),
        )

    def forward(self, x):
        """Return the scores of 1,000 classes."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))

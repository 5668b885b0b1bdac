"""The demo studies: which synthetic slides and images they have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoSlide:
    """A synthetic slide of the demo study.

    Parameters
    ----------
    slide, label, patient, split : str
        As in the sheet.
    necrosis : float
        Share of the slide that is necrosis, 0 to 0.25.
    """

    slide: str
    label: str
    patient: str
    split: str
    necrosis: float = 0.0


_NECROSIS = (0.14, 0.09, 0.2, 0.16, 0.0, 0.11, 0.18, 0.07, 0.22, 0.12, 0.1)


def _slides():
    for label, first in (("GBM", 1), ("LGG", 7)):
        for number in range(1, 12):
            split = "train" if number <= 8 else "test"
            # Slides 7 and 8 are second slides of the first two patients; test patients come after all others.
            patient = first + (number - 1) % 6 if split == "train" else 13 + (number - 9) + 3 * (label == "LGG")
            necrosis = _NECROSIS[number - 1] if label == "GBM" else 0.0
            yield DemoSlide(f"{label.lower()}-{number:02}", label, f"patient-{patient:02}", split, necrosis)


SLIDES = tuple(_slides())


@dataclass(frozen=True)
class DemoImage:
    """A synthetic image of the demo collection: a piece of a drawn slide.

    Parameters
    ----------
    image, label, patient, split : str
        As in the sheet.
    """

    image: str
    label: str
    patient: str
    split: str


def _images():
    for label, first in (("GBM", 1), ("LGG", 21), ("necrosis", 41)):
        for number in range(40):  # two images of a patient follow each other
            patient = f"patient-{first + number // 2:02}"
            yield DemoImage(f"{label.lower()}-{number + 1:02}", label, patient, "train" if number < 30 else "test")


IMAGES = tuple(_images())

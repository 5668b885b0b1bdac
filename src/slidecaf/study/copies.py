"""One slide under two names, found by content over all rows of both sheets: it would be learned from and judged on."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slidecaf.errors import InputErrors
from slidecaf.files.fingerprints import Fingerprints
from slidecaf.files.tables import read_json, write_json
from slidecaf.logs import logger


@dataclass(frozen=True)
class Found:
    """What was found of copies.

    Attributes
    ----------
    problems, warnings : list of str
        Sentences.
    left_out : dict of str to str
        Slide of the classification that is left out to the slide that it is a copy of.
    """

    problems: list
    warnings: list
    left_out: dict


def find_copies(rows: Iterable, digests: Fingerprints) -> list[list]:
    """Find slides of the same content.

    Parameters
    ----------
    rows : iterable of slidecaf.study.sheets.Row
        Of both sheets; one slide may have a row in each. Files that are not there are passed over.
    digests : slidecaf.files.fingerprints.Fingerprints
        Where these are equal every byte is compared.

    Returns
    -------
    list of list of Row
        A row a slide, in the order given.
    """
    slides = {}
    for row in rows:  # of a slide in both sheets the first row, which has its label
        if os.path.exists(row.path):
            slides.setdefault(row.slide, row)
    digests.read(row.path for row in slides.values())
    alike = _grouped(slides.values(), lambda row: (digests(row.path), row.scene))
    return [same for group in alike for same in _grouped(group, lambda row: digests(row.path, whole=True))]


def judge_copies(groups, *, classification, segmentation, on_copies) -> Found:
    """Say what copies mean for a study: an error across patients, splits or labels, otherwise a warning.

    Parameters
    ----------
    groups : list of list of Row
        From `find_copies`.
    classification, segmentation : list of slidecaf.study.sheets.Row
    on_copies : {"fail", "exclude"}
        With ``exclude`` copies are left out of the classification: of a row in train and one in test the latter, else
        the later one. Of the segmentation none can be left out.

    Returns
    -------
    Found
    """
    found, masked = Found([], [], {}), {row.slide for row in segmentation}
    splits = {}
    for row in [*classification, *segmentation]:
        splits.setdefault(row.slide, set()).add(row.split)
    for group in groups:
        first, *others = sorted(group, key=lambda row: "train" not in splits[row.slide])
        for row in others:
            differ = [
                what
                for what, one, other in (
                    ("patient", first.patient, row.patient),
                    ("split", splits[first.slide], splits[row.slide]),
                    ("label", first.label, row.label),
                )
                if one != other and (what != "label" or (one and other))
            ]
            said = f"row {row.number}: slide {row.slide!r} is a copy of slide {first.slide!r} in row {first.number}"
            if on_copies == "exclude" and not {first.slide, row.slide} & masked:
                found.left_out[row.slide] = first.slide
                found.warnings.append(f"{said}; it is left out.")
            elif differ:
                way = "take one out, or set on_copies: exclude" if row.slide not in masked else "take one out"
                found.problems.append(f"{said} and has another {' and '.join(differ)}; {way}.")
            else:
                found.warnings.append(f"{said}, of the same patient; it counts twice.")
    return found


class Copies:
    """The copies of a study: looked for by the plan, remembered by its jobs' own processes.

    Parameters
    ----------
    digests : slidecaf.files.fingerprints.Fingerprints
    memory : path-like
        A JSON file.
    look : bool
        Whether to look, rather than to remember.
    """

    def __init__(self, digests, memory, *, look):
        self._digests, self._memory, self._look = digests, Path(memory), look

    def __call__(self, classification, segmentation, *, on_copies, source) -> Mapping[str, str]:
        """Return the slides that are left out, each with the slide that it is a copy of.

        Parameters
        ----------
        classification, segmentation, on_copies
            As for `judge_copies`.
        source : str
            What an error names.

        Returns
        -------
        mapping of str to str

        Raises
        ------
        InputErrors
            If there are copies that the study does not allow.
        """
        if not self._look:
            return read_json(self._memory) if self._memory.is_file() else {}
        groups = find_copies([*classification, *segmentation], self._digests)
        found = judge_copies(groups, classification=classification, segmentation=segmentation, on_copies=on_copies)
        if found.problems:
            raise InputErrors(source, found.problems)
        for warning in found.warnings:
            logger.warning("%s: %s", source, warning)
        if found.left_out or self._memory.is_file():
            write_json(self._memory, found.left_out)
        return found.left_out


def _grouped(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [group for group in groups.values() if len(group) > 1]

"""What a method of the classification decided of every slide, kept as columns that a grid is chosen and sorted from.

A table is read once for as long as its file stays the same. What goes to the page is columns of whole numbers beside
the words that they stand for: some 40 bytes a slide.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_tsv
from slidecaf.scores.classification import sureness
from slidecaf.study.status import STATUS_COPY, STATUS_FEW, STATUS_OK
from slidecaf.viewer.versions import files_version

VERDICTS = ("right", "wrong", "uncounted")
"""What a decision is: the last has no label to hold it against, or counts nowhere."""

SPLITS = ("cv", "test")
"""How a slide was left out: by a fold of the cross-validation, or as a test row."""

ORDERS = ("name", "surest", "least")
"""By name, or those first of which the method is surest or least sure."""

FILTERS = ("label", "predicted", "verdict", "split")
"""What slides are chosen by."""

DIGITS = 4
"""Significant digits of a confidence on the page."""


class UnknownNameError(SlidecafError):
    """A method, class or other word that the study does not have; the text lists those it has."""


class Decided:
    """The decisions of one method.

    Parameters
    ----------
    method : str
    rows : sequence of mapping
        Of ``predictions.tsv``.
    classes : sequence of str
        Of the study: the negative and then the positive one where there are two.
    texts : mapping of str to str
        Slide to the text that it is found by; its slides alone are kept.

    Attributes
    ----------
    rows : list of dict
        Those of the study's slides, in order of their names.
    verdicts : list of str
        Of `VERDICTS`, one a row.
    confidence : ndarray of float64
        The signed one of two classes, otherwise that of the class that was predicted; NaN where there is none.
    sure : ndarray of float64
        How far the decision is from another one: the size of the confidence of two classes, otherwise how far the
        predicted class is ahead of the next.
    """

    def __init__(self, method, rows: Iterable[Mapping], *, classes, texts: Mapping[str, str]):
        self.method, self.classes = method, list(classes)
        self.rows = sorted((row for row in rows if row["slide"] in texts), key=lambda row: row["slide"])
        self.verdicts = [_verdict(row) for row in self.rows]
        self.confidence, self.sure = _confidences(self.rows)
        self._texts = [texts[row["slide"]].lower() for row in self.rows]
        found = {name: [row.get(name) or "" for row in self.rows] for name in ("label", "predicted", "split", "status")}
        found["verdict"] = self.verdicts
        known = {"label": self.classes, "predicted": self.classes, "split": SPLITS, "verdict": VERDICTS}
        self.words = {name: _words(values, known.get(name, ())) for name, values in found.items()}
        self._codes = {name: _codes(values, self.words[name]) for name, values in found.items()}
        self._shown = {name: _shortened(getattr(self, name)) for name in ("confidence", "sure")}

    def choose(self, wanted: Mapping[str, str], *, order="name") -> dict:
        """Choose slides, and say how many there are of each kind; ready for JSON.

        Parameters
        ----------
        wanted : mapping of str to str
            Any of `FILTERS` to a word; an empty label chooses slides without one. ``text`` to what a slide's name,
            patient, split, label or further columns hold.
        order : {"name", "surest", "least"}, optional
            Slides without a confidence stand at the end.

        Returns
        -------
        dict
            ``classes``; ``all``, the slides of the table; ``words``: a column to what its numbers stand for;
            ``counts``: a filter to the slides of each word, chosen by all other filters; ``rows``: the chosen slides,
            a column a list.

        Raises
        ------
        UnknownNameError
            If a word or the order is none of the table's.
        """
        chosen = {name: self._of(name, wanted[name]) for name in FILTERS if name in wanted}
        if order not in ORDERS:
            raise UnknownNameError(f"there is no order {order!r}; there are: {', '.join(ORDERS)}.")
        if wanted.get("text"):
            text = wanted["text"].lower()
            chosen["text"] = np.array([text in own for own in self._texts], bool)
        places = np.flatnonzero(self._all(chosen))
        if order != "name":
            places = places[np.argsort(self._rank(order)[places], kind="stable")]
        return {
            "method": self.method,
            "classes": self.classes,
            "all": len(self.rows),
            "words": self.words,
            "counts": {name: self._count(name, chosen) for name in FILTERS},
            "rows": self._columns(places),
        }

    def _of(self, name, word):
        """Return which slides have a word in a column."""
        if word not in self.words[name]:
            known = ", ".join(word for word in self.words[name] if word)
            raise UnknownNameError(f"method {self.method} has no {name} {word!r}; there are: {known}.")
        return self._codes[name] == self.words[name].index(word)

    def _all(self, chosen, *, but=None):
        """Return which slides all filters choose."""
        kept = np.ones(len(self.rows), bool)
        for name, own in chosen.items():
            if name != but:
                kept &= own
        return kept

    def _count(self, name, chosen):
        codes = self._codes[name][self._all(chosen, but=name)]
        return np.bincount(codes, minlength=len(self.words[name])).tolist()

    def _rank(self, order):
        rank = self.sure if order == "least" else -self.sure
        return np.where(np.isnan(rank), np.inf, rank)

    def _columns(self, places):
        codes = {name: codes[places].tolist() for name, codes in self._codes.items()}
        numbers = {name: [values[place] for place in places] for name, values in self._shown.items()}
        return {"slide": [self.rows[place]["slide"] for place in places], **codes, **numbers}


class Decisions:
    """The decisions of a study's methods, read when they are first asked for and again when their file has changed.

    Parameters
    ----------
    pattern : str
        Of the tables: ``predictions`` of `slidecaf.study.layout.Layout`.
    methods : collection of str
        Of the classification; empty where the study has none.
    classes : sequence of str
    texts : mapping of str to str
        As `Decided` takes them.
    """

    def __init__(self, pattern, methods, *, classes, texts):
        self._pattern, self._methods, self._about = pattern, list(methods), {"classes": classes, "texts": texts}
        self._read, self._lock = {}, threading.Lock()

    def of(self, method) -> Decided:
        """Return what a method decided.

        Raises
        ------
        UnknownNameError
            If the study has no such method, or no classification.
        SlidecafError
            If the table does not exist yet, or is damaged.
        """
        if not self._methods:
            raise UnknownNameError("this study has no classification, so it has no decisions to show.")
        if method not in self._methods:
            known = ", ".join(self._methods)
            raise UnknownNameError(f"the classification has no method {method}; there are: {known}.")
        path = Path(self._pattern.format(method=method))
        if not path.is_file():
            raise SlidecafError(f"{path} does not exist; run the study to its end.")
        with self._lock:
            version, decided = self._read.get(method, (None, None))
            now = files_version([path])
            if version != now:
                decided = Decided(method, read_tsv(path), **self._about)
                self._read[method] = now, decided
            return decided

    def so_far(self, method) -> Decided | None:
        """Return what a method decided, or None where its table does not exist yet."""
        return self.of(method) if Path(self._pattern.format(method=method)).is_file() else None


def _verdict(row):
    if not row["label"] or row.get("status", STATUS_OK) in (STATUS_COPY, STATUS_FEW):
        return "uncounted"
    return "right" if row["predicted"] == row["label"] else "wrong"


def _confidences(rows):
    """Return each row's confidence, and how sure it is."""
    nothing = np.full(len(rows), np.nan)
    columns = [name for name in rows[0] if name.startswith("confidence")] if rows else []
    if columns in ([], ["confidence"]):
        signed = np.array([_number(row[columns[0]]) for row in rows]) if columns else nothing
        return signed, sureness(signed, ())
    values = np.array([[_number(row[name]) for name in columns] for row in rows])
    place = {name.removeprefix("confidence_"): number for number, name in enumerate(columns)}
    predicted = np.array([place.get(row["predicted"], -1) for row in rows])
    own = np.where(predicted < 0, np.nan, values[np.arange(len(rows)), predicted])
    return own, np.where(predicted < 0, np.nan, sureness(values, predicted))


def _number(text):
    try:
        return float(text)
    except ValueError:
        return np.nan


def _words(values, known):
    """Return the words of a column: those that are known first, and others as they are sorted."""
    return [*known, *sorted(set(values) - set(known))]


def _codes(values, words):
    place = {word: number for number, word in enumerate(words)}
    return np.array([place[value] for value in values], np.int64)


def _shortened(values):
    """Return numbers in as many digits as the page needs; None where there is none."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]

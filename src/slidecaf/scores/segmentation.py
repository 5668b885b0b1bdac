"""The challenge's score S of slides, and its mean with an interval (paper, section 5.3)."""

import numpy as np

from slidecaf.scores.intervals import FEW_PATIENTS, mean, mean_interval


def dice(intersection, predicted, true) -> np.ndarray | float:
    """Return the challenge's score, S = 2 |P ∩ G| / (|P| + |G|) (paper, section 5.3).

    Parameters
    ----------
    intersection, predicted, true : array-like of numbers
        |P ∩ G|, |P| and |G| in px, at least 0.

    Returns
    -------
    ndarray of float64 or float
        0 to 1; 1 where both are empty.

    Examples
    --------
    >>> float(dice(30, 40, 60))
    0.6
    >>> float(dice(0, 0, 0))
    1.0
    """
    both = np.add(predicted, true)
    return np.where(both > 0, 2 * np.asarray(intersection) / np.maximum(both, 1), 1.0)[()]


def slide_scores(predicted, confidence, truth, areas, *, threshold) -> dict:
    """Score one slide's mask against its truth, on cells.

    Parameters
    ----------
    predicted : ndarray of bool, shape (rows, columns)
    confidence : ndarray of float32, shape (rows, columns)
        NaN where no patch is.
    truth : ndarray of int64, shape (rows, columns)
        Px of necrosis in each cell.
    areas : ndarray of int64, shape (rows, columns)
        Px of each cell.
    threshold : float

    Returns
    -------
    dict
        score : S of the mask. precision : None where nothing is predicted. recall : None where nothing is true.
        soft_score : S of the map itself, |P| and |P ∩ G| being sums of p = (confidence - threshold + 1) / 2, cut to
            0..1: the margins of the SVM around the threshold, 0 where no patch is.
        predicted_pixels, true_pixels : int.
    """
    hit, found, true = (int(values.sum()) for values in (truth[predicted], areas[predicted], truth))
    share = np.nan_to_num(np.clip((confidence.astype(np.float64) - threshold + 1) / 2, 0, 1))
    soft = 2 * (share * truth).sum() / both if (both := (share * areas).sum() + true) > 0 else 1.0
    return {
        "score": float(dice(hit, found, true)),
        "precision": hit / found if found else None,
        "recall": hit / true if true else None,
        "soft_score": float(soft),
        "predicted_pixels": found,
        "true_pixels": true,
    }


def segmentation_scores(rows, *, seed=0, bootstrap=2000) -> dict:
    """Average the scores of slides.

    Parameters
    ----------
    rows : sequence of dict
        One a slide with truth: patient, area (px), and what `slide_scores` gives. Of a slide that could not be read
        patient and score alone: its truth is not known, and it counts among those that are not empty.
    seed : int, optional
        Of the bootstrap.
    bootstrap : int, optional
        Draws of patients with replacement; intervals run from their 2.5 to their 97.5 percentile.

    Returns
    -------
    dict
        JSON as it is.

        n, patients : counts.
        score : the mean of S over slides. score_ci95 : over patients; None for one patient.
        precision, recall : means over the slides where they are defined. soft_score : the mean.
        score_nonempty, nonempty : mean of S over the slides whose truth is not empty, and how many these are.
        empty : slides with an empty truth; their S is 1 if nothing was predicted, otherwise 0.
        empty_right : those of them with S = 1.
        score_above_1_percent, above_1_percent : the same over slides with more than 1 % of truth.
        notes : list of str, what a reader must know before trusting the numbers.

    Raises
    ------
    ValueError
        If there is no row.

    Examples
    --------
    >>> slide = {"patient": "a", "area": 100, "score": 0.6, "precision": 0.75, "recall": 0.5, "soft_score": 0.55}
    >>> slide |= {"predicted_pixels": 40, "true_pixels": 60}
    >>> scores = segmentation_scores([slide, {**slide, "patient": "b", "score": 0.8}])
    >>> round(scores["score"], 3), scores["patients"], scores["empty"]
    (0.7, 2, 0)
    """
    if not rows:
        raise ValueError("there is no slide to score")
    score = np.array([row["score"] for row in rows])
    true, area = (np.array([row.get(key, np.nan) for row in rows]) for key in ("true_pixels", "area"))
    patients = [row["patient"] for row in rows]
    empty = true == 0

    def mean_of(key):
        return mean([row[key] for row in rows if row.get(key) is not None])

    scores = {
        "n": len(rows),
        "score": float(score.mean()),
        "score_ci95": mean_interval(score, patients, seed=seed, bootstrap=bootstrap),
        "precision": mean_of("precision"),
        "recall": mean_of("recall"),
        "soft_score": mean_of("soft_score"),
        "score_nonempty": mean(score[~empty]),
        "nonempty": int((~empty).sum()),
        "empty": int(empty.sum()),
        "empty_right": int((score[empty] == 1).sum()),
        "score_above_1_percent": mean(score[true > 0.01 * area]),
        "above_1_percent": int((true > 0.01 * area).sum()),
        "patients": len(set(patients)),
    }
    return {**scores, "notes": _segmentation_notes(scores)}


def _segmentation_notes(scores):
    notes = []
    if scores["patients"] < FEW_PATIENTS:
        notes.append(f"{scores['patients']} groups: below {FEW_PATIENTS}, intervals mean little.")
    if scores["empty"]:
        notes.append(
            f"{scores['empty']} of {scores['n']} slides have no true pixel and score 0 or 1 "
            f"({scores['empty_right']} score 1)."
        )
    return notes

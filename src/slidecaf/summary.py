"""The scores of a study as a short table for a terminal."""

from pathlib import Path

from slidecaf.store import read_json


def score_table(results):
    """Lay out the scores of every method.

    Parameters
    ----------
    results : path-like
        The study's results folder.

    Returns
    -------
    str
        Lines that end with a line break; empty where there are no scores.
    """
    lines = []
    for path in sorted(Path(results).glob("classification/*/scores.json")):
        scores = read_json(path)
        for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
            if scores[part]:
                lines.append(_line(scores["method"], name, scores[part]))
        for caveat in scores["caveats"]:
            lines.append(f"  note: {caveat}")
        for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
            lines += [f"  note: {name}: {note}" for note in (scores[part] or {}).get("notes", [])]
    if not lines:
        return ""
    header = f"{'method':<16}{'on':<18}{'slides':>7}{'correct':>9}{'accuracy':>10}{'95 % interval':>16}{'AUC':>7}"
    return "\n".join(["", "Classification", header, *lines]) + "\n"


def _line(method, name, scores):
    low, high = scores["accuracy_ci95"]
    auc = f"{scores['auc']:.3f}" if scores["auc"] is not None else "-"
    return (
        f"{method:<16}{name:<18}{scores['n']:>7}{scores['correct']:>9}{scores['accuracy']:>10.3f}"
        f"{f'{low:.3f} to {high:.3f}':>16}{auc:>7}"
    )

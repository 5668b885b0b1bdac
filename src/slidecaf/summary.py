"""The scores of a study as a short table for a terminal."""

from pathlib import Path

from slidecaf.store import read_json

CLASSIFICATION = f"{'method':<16}{'on':<18}{'slides':>7}{'correct':>9}{'accuracy':>10}{'95 % interval':>16}{'AUC':>7}"
SEGMENTATION = f"{'method':<24}{'on':<20}{'slides':>7}{'mean S':>8}{'95 % interval':>18}{'S where not empty':>20}"


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
    tables = (
        _table(results, "classification", CLASSIFICATION, _accuracy),
        _table(results, "segmentation", SEGMENTATION, _dice),
    )
    return "".join(tables)


def _table(results, task, header, lay_out):
    lines = []
    for path in sorted(Path(results).glob(f"{task}/*/scores.json")):
        lines += lay_out(path.parent, read_json(path))
    return "\n".join(["", task.capitalize(), header, *lines]) + "\n" if lines else ""


def _accuracy(folder, scores):
    lines = []
    for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
        if scores[part]:
            lines.append(_line(scores["method"], name, scores[part]))
    lines += [f"  note: {caveat}" for caveat in scores["caveats"]]
    for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
        lines += [f"  note: {name}: {note}" for note in (scores[part] or {}).get("notes", [])]
    return lines


def _dice(folder, scores):
    lines, notes = [], []
    for variant, of in scores.items():
        for part, name in (("leave_one_out", f"{of['group_name']}s left out"), ("test", "test")):
            found = of[part]
            if found:
                interval = found["score_ci95"]
                interval = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
                nonempty = f"{found['score_nonempty']:.3f}" if found["nonempty"] else "-"
                lines.append(
                    f"{f'{folder.name}, {variant}':<24}{name:<20}{found['n']:>7}{found['score']:>8.3f}{interval:>18}"
                    f"{nonempty:>11} of {found['nonempty']}"
                )
                notes += [f"  note: {name}: {note}" for note in found["notes"]]
        notes = [f"  note: {caveat}" for caveat in of["caveats"] if f"  note: {caveat}" not in notes] + notes
    if (folder / "comparison.json").is_file():
        for part, name in (("leave_one_out", "left out"), ("test", "test")):
            compared = read_json(folder / "comparison.json")[part]
            if compared:
                notes.append(f"  note: {name}: {compared['verdict']}")
    return [*lines, *dict.fromkeys(notes)]


def _line(method, name, scores):
    low, high = scores["accuracy_ci95"]
    auc = f"{scores['auc']:.3f}" if scores["auc"] is not None else "-"
    return (
        f"{method:<16}{name:<18}{scores['n']:>7}{scores['correct']:>9}{scores['accuracy']:>10.3f}"
        f"{f'{low:.3f} to {high:.3f}':>16}{auc:>7}"
    )

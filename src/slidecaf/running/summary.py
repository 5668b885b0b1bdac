"""What a run came to, for a terminal: the scores as a short table, warnings, what failed and what to do."""

import signal
from collections import Counter
from pathlib import Path

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.running.progress import duration

CLASSIFICATION = f"{'method':<16}{'on':<18}{'slides':>7}{'correct':>9}{'accuracy':>10}{'95 % interval':>16}{'AUC':>7}"
SEGMENTATION = f"{'method':<24}{'on':<20}{'slides':>7}{'mean S':>8}{'95 % interval':>18}{'S where not empty':>20}"

SHOWN, TAIL = 20, 6
"""Failures and warnings that are printed at most, and lines of a log."""

READ_SLIDES = (
    *("tiles", "features", "manual_features", "whole_features", "predict"),
    *("labels", "segment", "regions", "region_labels"),
)
"""Rules that may fail because of a slide."""


def score_table(results) -> str:
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


def prediction_table(results) -> str:
    """Count what a model said of slides, where the sheets tell no truth that it could be held against.

    Parameters
    ----------
    results : path-like
        The results folder of a study that learns nothing.

    Returns
    -------
    str
        Lines that end with a line break; empty where all is scored.
    """
    lines = []
    for path in sorted(Path(results).glob("classification/*/scores.json")):
        scores = read_json(path)
        if not _scored(scores):
            found = Counter(row["predicted"] or row["status"] for row in read_tsv(path.parent / "predictions.tsv"))
            lines.append(f"{path.parent.name}: {', '.join(f'{count} {said}' for said, count in sorted(found.items()))}")
            lines += [f"  note: {caveat}" for caveat in scores["caveats"]]
    for path in sorted(Path(results).glob("segmentation/*/scores.json")):
        rows = read_tsv(path.parent / "scores.tsv")
        for variant, of in read_json(path).items():
            if not _scored(of):
                areas = [int(row["predicted_pixels"]) for row in rows if row["variant"] == variant]
                lines.append(
                    f"{path.parent.name}, {variant}: {sum(map(bool, areas))} of {len(areas)} slides with a region"
                )
                lines += [f"  note: {caveat}" for caveat in of["caveats"] if f"  note: {caveat}" not in lines]
    return "\n".join(["", "Predicted", *lines]) + "\n" if lines else ""


def _scored(scores):
    return any(scores.get(part) for part in ("cross_validation", "leave_one_out", "test"))


def run_table(progress, seconds) -> str:
    """Say how a run went that ended well.

    Parameters
    ----------
    progress : slidecaf.running.progress.Progress
    seconds : float
        How long it took.

    Returns
    -------
    str
    """
    warnings = progress.warnings
    many = f"{len(warnings)} warning{'s' * (len(warnings) != 1)}" if warnings else "no warnings"
    lines = [f"{progress.done.total()} jobs in {duration(seconds)}, {many}"]
    lines += [f"  {name}: {text}" for name, text in warnings[:SHOWN]]
    if len(warnings) > SHOWN:
        lines.append(f"  and {len(warnings) - SHOWN} more, in the logs")
    return "\n".join(lines)


def failure_table(progress, study) -> str:
    """Say which jobs failed, why, and what to do.

    Parameters
    ----------
    progress : slidecaf.running.progress.Progress
    study : path-like
        The folder in which the logs' paths start.

    Returns
    -------
    str
        Empty where no job failed: then the run ended before its jobs, and Snakemake has said why.
    """
    failures, lines = progress.failures, []
    for failed in failures[:SHOWN]:
        lines += ["", f"{failed.name} failed:"]
        logs = [f"log: {failed.log or 'none'}"]
        logs += [f"the cluster's: {failed.cluster_log}"] if failed.cluster_log else []
        lines += [f"    {line}" for line in [*_reason(failed, Path(study)), *logs]]
    if len(failures) > SHOWN:
        lines += ["", f"and {len(failures) - SHOWN} more, in the logs"]
    if failures:
        lines += [
            "",
            f"{len(failures)} of {progress.planned.total()} jobs failed; what is done is kept. Mend what is said above",
        ]
        lines[-1] += " and run the same command again."
        if any(one.rule in READ_SLIDES and not one.fault for one in failures):
            lines.append("A slide that cannot be mended: on_bad_slide: exclude in the config leaves such slides out.")
    return "\n".join(lines)


def ended(code) -> str:
    """Say who ended a run.

    Parameters
    ----------
    code : int
        Its exit code.

    Returns
    -------
    str
        Empty where it ended by itself.
    """
    name = {128 + number: number.name for number in (signal.SIGINT, signal.SIGTERM)}.get(code)
    return f"Ended by {name}; what is done is kept. The same command goes on from there." if name else ""


def _reason(job, study):
    """Return what a job said of its failure, and the end of its log where it said nothing or is at fault itself."""
    said = [line for error in job.errors[:SHOWN] for line in error.splitlines()]
    if len(job.errors) > SHOWN:
        said.append(f"and {len(job.errors) - SHOWN} more, in the log")
    if said and not job.fault:
        return said
    tail = _tail(study / job.log) or _tail(study / job.cluster_log)
    if not said and not tail:
        tail = [
            "It ended without a word, as jobs do that are killed or run out of memory; lower threads or batch_size."
        ]
    return [*tail, *said]


def _tail(log):
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:] if log.is_file() else []


def _table(results, task, header, lay_out):
    lines = []
    for path in sorted(Path(results).glob(f"{task}/*/scores.json")):
        lines += lay_out(path.parent, read_json(path))
    return "\n".join(["", task.capitalize(), header, *lines]) + "\n" if lines else ""


def _accuracy(folder, scores):
    if not _scored(scores):
        return []
    lines = []
    for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
        if scores[part]:
            lines.append(_line(scores["method"], name, scores[part]))
    lines += [f"  note: {caveat}" for caveat in scores["caveats"]]
    if rare := scores.get("rare_classes"):  # none in a file that an earlier version left
        lines.append(f"  note: left out, having too few {scores['item_name']}s: {', '.join(rare)}")
    for part, name in (("cross_validation", "cross-validation"), ("test", "test")):
        lines += [f"  note: {name}: {note}" for note in (scores[part] or {}).get("notes", [])]
    return lines


def _dice(folder, scores):
    lines, notes = [], []
    for variant, of in scores.items():
        if not _scored(of):
            continue
        for part, name in (("leave_one_out", f"{of['group_name']}s left out"), ("test", "test")):
            found = of[part]
            if found:
                interval = found["score_ci95"]
                interval = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "-"
                nonempty = f"{found['score_nonempty']:.3f}" if found["nonempty"] else "-"
                lines.append(
                    f"{f'{folder.name}, {variant} ':<24}{name:<20}{found['n']:>7}{found['score']:>8.3f}{interval:>18}"
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
        f"{f'{method} ':<16}{name:<18}{scores['n']:>7}{scores['correct']:>9}{scores['accuracy']:>10.3f}"
        f"{f'{low:.3f} to {high:.3f}':>16}{auc:>7}"
    )

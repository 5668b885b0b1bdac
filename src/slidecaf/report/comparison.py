"""What the report says of a task's methods side by side, and of a setting that was varied."""

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import charts

FACTORS = {"norm": "norm of the pooling", "keep": "features kept", "features": "feature set"}
"""Key of a method to what a reader calls it."""


def compared_methods(study, task) -> list:
    """Read the table of a task's methods.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    task : str

    Returns
    -------
    list of dict
        A row a method (and variant): name, method, kind, note, n, and score, low, high, difference, p, seconds and
        memory_gib, None where the table leaves them empty. Empty where the study does not have the task.
    """
    if not study.methods(task):
        return []
    rows = []
    for row in read_tsv(study.layout.methods.format(task=task)):
        name = ", ".join(filter(None, (row["method"], row.get("variant"))))
        numbers = {"low": row["ci_low"], "high": row["ci_high"]}
        numbers |= {key: row[key] for key in ("score", "difference", "p", "seconds", "memory_gib")}
        known = {key: row[key] for key in ("method", "kind", "note", "n")}
        rows.append({"name": name, **known, **{key: _number(text) for key, text in numbers.items()}})
    return rows


def ablation(study) -> dict | None:
    """Read what came of varying one setting at a time.

    Parameters
    ----------
    study : slidecaf.report.results.Results

    Returns
    -------
    dict or None
        method, own (its score), charts, one a setting, and rows of the table. None where nothing was varied.
    """
    task = study.config.classification
    if not (task and task.ablation):
        return None
    method = task.ablation.method
    own = read_json(study.layout.scores.format(method=method))["cross_validation"]["accuracy"]
    rows = [
        {
            **{key: row[key] for key in ("factor", "value", "n", "correct")},
            "own": row["own"] == "yes",
            "low": float(row["ci_low"]),
            "high": float(row["ci_high"]),
            **{key: float(row[key]) for key in ("score", "difference", "p")},
        }
        for row in read_tsv(study.layout.ablation)
    ]
    drawn = [
        {
            "factor": factor,
            "title": said[0].upper() + said[1:],
            "uri": charts.ablation_chart(said, [row for row in rows if row["factor"] == factor], own),
            "said": "Accuracy over the left-out slides with its exact 95 % interval. Blue: a value that the method "
            "itself has or may choose; orange: others. The dotted line is the method itself.",
        }
        for factor, said in FACTORS.items()
        if any(row["factor"] == factor for row in rows)
    ]
    return {"method": method, "own": own, "charts": drawn, "rows": rows, "factors": FACTORS}


def _number(text):
    return float(text) if text else None

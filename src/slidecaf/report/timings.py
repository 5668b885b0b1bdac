"""How long rules took and how much memory, from Snakemake's benchmark files."""

from pathlib import Path

from slidecaf.files.benchmarks import measured, read_benchmark


def rule_timings(folder) -> list:
    """Sum up the jobs of every rule.

    Parameters
    ----------
    folder : path-like
        ``{results}/benchmarks``: a file a job, ``{rule}/{wildcards}.tsv``, or ``{rule}.tsv`` for a single job. A job of
        a rule of slides is a batch of them.

    Returns
    -------
    list of dict
        The rule of the longest total first: rule, jobs, seconds (summed over jobs), longest (seconds), cpu (seconds),
        memory (MB, of the largest job; None where no job lived long enough to be measured).
    """
    top, found = Path(folder), {}
    for path in sorted(top.rglob("*.tsv")):
        rule = path.relative_to(top).parts[0].removesuffix(".tsv")
        found.setdefault(rule, []).extend(read_benchmark(path))
    rules = []
    for rule, rows in found.items():
        seconds = [measured(row["s"]) or 0.0 for row in rows]
        memory = [value for row in rows if (value := measured(row["max_rss"]))]
        rules.append(
            {
                "rule": rule,
                "jobs": len(rows),
                "seconds": sum(seconds),
                "longest": max(seconds, default=0.0),
                "cpu": sum(measured(row["cpu_time"]) or 0.0 for row in rows),
                "memory": max(memory, default=None),
            }
        )
    return sorted(rules, key=lambda row: (-row["seconds"], row["rule"]))


def duration_text(seconds) -> str:
    """Return a time as people say it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
        Such as ``0.4 s``, ``12 s``, ``3 min 5 s`` or ``2 h 7 min``.
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"

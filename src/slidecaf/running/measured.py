"""Which jobs made some files, and where Snakemake wrote what these took."""

from collections.abc import Iterable


def jobs_behind(rules: Iterable, files: Iterable[str]) -> list[tuple[str, str]]:
    """Find the jobs that make some files, of rules that measure what a job takes.

    Parameters
    ----------
    rules : iterable of snakemake.rules.Rule
    files : iterable of str
        Paths without wildcards.

    Returns
    -------
    list of (str, str)
        Of each job, once, the first of these files that it makes, and its benchmark file.
    """
    measured = [(rule.benchmark, output) for rule in rules if rule.benchmark for output in rule.output]
    outputs = [(output.constant_prefix(), output, benchmark) for benchmark, output in measured]
    found = {}
    for path in files:
        for start, output, benchmark in outputs:
            if path.startswith(start) and (match := output.match(path)):
                found.setdefault(str(benchmark.apply_wildcards(match.groupdict())), path)
    return [(path, benchmark) for benchmark, path in found.items()]

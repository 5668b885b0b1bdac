"""Jobs that set the methods of a task side by side."""

from collections.abc import Callable, Collection, Iterable

from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.running.measured import jobs_behind
from slidecaf.study.caveats import note_of
from slidecaf.study.config import feature_sets
from slidecaf.study.targets import Targets


class MethodJobs:
    """The jobs of both tasks' tables of methods.

    Methods take the wildcards of a job, which name its task.

    Parameters
    ----------
    targets : slidecaf.study.targets.Targets
    imported : collection of str
        Feature sets that another program computed.
    rules : iterable of snakemake.rules.Rule
        Of the workflow, once a table is asked for: all of them.
    """

    def __init__(self, targets: Targets, imported: Collection[str], rules: Callable[[], Iterable]):
        self._targets, self._imported, self._rules = targets, set(imported), rules

    def _task(self, wildcards):
        return getattr(self._targets, wildcards.task)

    def behind(self, wildcards: Wildcards) -> list[str]:
        """Return all files that a task's scores come of, so that every job's time is known."""
        return self._targets.behind(wildcards.task)

    def each(self, classification: str, segmentation: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a file of each method of a task, by the pattern that the task has in the layout."""
        patterns = {"classification": classification, "segmentation": segmentation}
        return lambda wildcards: [
            patterns[wildcards.task].format(method=method) for method in self._task(wildcards).methods
        ]

    def noted(self, wildcards: Wildcards) -> dict[str, dict]:
        """Return the kind of each method of a task, and what has to be said of it."""
        methods = self._task(wildcards).methods
        return {name: {"kind": chosen.kind, "note": note_of(chosen.kind)} for name, chosen in methods.items()}

    def measured(self, wildcards: Wildcards) -> dict[str, dict[str, list]]:
        """Return method to variant to its jobs; none where another program computed features in unknown time."""
        found = {}
        for method, chosen in self._task(wildcards).methods.items():
            known = not set(feature_sets(chosen)) & self._imported
            found[method] = {
                variant: self._jobs(wildcards.task, method, variant) if known else []
                for variant in self._variants(wildcards.task, method)
            }
        return found

    def _jobs(self, task, method, variant):
        return jobs_behind(self._rules(), self._targets.behind(task, method, variant))

    def _variants(self, task, method):
        return self._targets.segmentation.variants(method) if task == "segmentation" else [""]

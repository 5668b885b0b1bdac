"""Rules that work on one slide at a time, and jobs of theirs that take several: `slides_per_job` of the config. No jobs.

A process that starts for a slide takes seconds, on a cluster with its place in the queue; slides that need less share
a job. Every such rule is written once, in a loop over `slide_jobs`. With one slide a job it has wildcards; otherwise
there is one of it for each batch, which plans faster than as many jobs with wildcards. A batch runs the rule's script
slide by slide in one process (workflow/scripts/batch.py), with the same files, logs included, for each slide.

Needs   what common.smk and common_segmentation.smk give
Gives   `slide_jobs`, and the sets of slides that rules are about
"""

from slidecaf.study.batches import forget, in_batches

KEPT = f"{RESULTS}/.kept"
THUMBNAILS = 50  # of a job, at least: they take less than its start
MINUTES_A_SLIDE = 1  # beside those of its patches, once a job has started
SHEET_ORDER = list(dict.fromkeys(row.slide for row in [*ROWS, *SEGMENTED]))


def of_feature_sets(
    among=None, *, segmentation=True, classification=True, fused_too=True
):
    """Return the slides of each feature set that a task uses, in the order of the sheets.

    `among`: of these feature sets only; `fused_too`: test rows too that are predicted without a features file.
    """
    slides = {}
    for method in METHODS.values() if classification else ():
        for features in method["features"]:
            slides.setdefault(features, set()).update(ROW)
    for name, method in SEGMENTATION_METHODS.items() if segmentation else ():
        own = LEARNED if fused(name) and not fused_too else SEGMENTED_ROW
        slides.setdefault(method["features"], set()).update(own)
    return [
        ({"features": features}, [slide for slide in SHEET_ORDER if slide in own])
        for features, own in slides.items()
        if among is None or features in among
    ]


def masked():
    """Return the slides with a mask of each feature set that the segmentation uses."""
    return [
        (fixed, [slide for slide in slides if SEGMENTED_ROW[slide].mask])
        for fixed, slides in of_feature_sets(classification=False)
    ]


def of_methods(slides, *, per_variant=True, only_fused=False):
    """Return some slides for each method of the segmentation, or for each of its variants."""
    own = [slide for slide in SHEET_ORDER if slide in set(slides)]
    return [
        ({"method": method} | ({"variant": variant} if per_variant else {}), own)
        for method in SEGMENTATION_METHODS
        if fused(method) or not only_fused
        for variant in (variants(method) if per_variant else [None])
    ]


def slide_jobs(rule, about):
    """Return one job with wildcards, or, where several slides share a job, one for each batch of them."""
    size = slides_of_job(rule)
    if size == 1:
        return [SlideJob(rule)]
    return [
        BatchJob(rule, number, fixed, batch)
        for fixed, slides in about
        for number, batch in enumerate(in_batches(slides, size))
    ]


def slides_of_job(rule):
    """Return how many slides share a job of a rule: `slides_per_job`, and more where a job is little work."""
    return max(STUDY["slides_per_job"], THUMBNAILS if rule == "thumbnail" else 1)


def script_of(rule):
    """Return the script that a rule's jobs run. Snakemake asks when a job starts: no loop's variable may stand here."""
    return f"../scripts/{rule if slides_of_job(rule) == 1 else 'batch'}.py"


class SlideJob:
    """One slide a job: all that a rule is made of, as it is written, with the wildcard `slide`."""

    def __init__(self, rule):
        self.name = rule

    def input(self, *, drawn=None, **named):
        """Return named inputs; `drawn` has those that are there unless the workflow draws them, whatever their age."""
        return named | {
            name: ancient(function) for name, function in _drawn(drawn).items()
        }

    def output(self, **named):
        return named

    def log(self, pattern):
        return pattern

    def benchmark(self, pattern):
        return pattern

    def params(self, **named):
        return named

    def most(self, resource):
        """Return a resource of which a job needs as much as its most demanding slide."""
        return resource

    def total(self, resource):
        """Return a resource of which a job needs as much as its slides together."""
        return resource


class Own(dict):
    """The wildcards of one slide of a batch, for functions that expect Snakemake's, which take longer to make."""

    __getattr__ = dict.__getitem__


class BatchJob:
    """A rule for the slides of one batch; inputs and params are worked out when its job is planned."""

    def __init__(self, rule, number, fixed, slides):
        self.name = "-".join([rule, *fixed.values(), str(number)])
        self._fixed, self._slides, self._rule = fixed, slides, rule

    def _each(self):
        return [Own(self._fixed, slide=slide) for slide in self._slides]

    def input(self, *, drawn=None, **named):
        drawn = _drawn(drawn)
        self._inputs = named | drawn

        def files(kinds):
            found = [
                path
                for own in self._each()
                for kind in kinds
                for path in _as_list(_value(kind, own))
            ]
            return list(dict.fromkeys(found))

        inputs = {"files": signed(lambda wildcards: files(named.values()))}
        if drawn:
            inputs["drawn"] = ancient(signed(lambda wildcards: files(drawn.values())))
        return inputs

    def output(self, **named):
        self._outputs = named
        return {
            "files": [
                pattern.format(**self._fixed, slide=slide)
                for slide in self._slides
                for pattern in named.values()
            ]
        }

    def log(self, pattern):
        self._log = pattern
        return [pattern.format(**self._fixed, slide=slide) for slide in self._slides]

    def benchmark(self, pattern):
        return pattern.format(**self._fixed, slide=self.name)

    def params(self, **named):
        shared = {key: value for key, value in named.items() if not callable(value)}
        free = {
            key: value
            for key, value in named.items()
            if callable(value) and "output" in inspect.signature(value).parameters
        }
        tracked = {
            key: value for key, value in named.items() if key not in {**shared, **free}
        }

        def slides(wildcards):
            return [
                {
                    "slide": own.slide,
                    "params": {key: value(own) for key, value in tracked.items()},
                }
                for own in self._each()
            ]

        def own(wildcards, output):
            return [
                {
                    "wildcards": dict(own),
                    "input": {
                        name: _value(kind, own) for name, kind in self._inputs.items()
                    },
                    "output": {
                        name: pattern.format(**own)
                        for name, pattern in self._outputs.items()
                    },
                    "log": self._log.format(**own),
                    "params": {key: value(own, None) for key, value in free.items()},
                }
                for own in self._each()
            ]

        return {
            **shared,
            "slides": signed(slides),
            "own": signed(own),
            "keep": untracked(KEPT),
            "script": f"{self._rule}.py",
        }

    def most(self, resource):
        return signed(
            lambda wildcards, attempt: max(
                resource(own, attempt) for own in self._each()
            )
        )

    def total(self, resource):
        def amount(wildcards, attempt):
            first, *others = self._each()
            further = [resource(own, attempt, base=MINUTES_A_SLIDE) for own in others]
            return resource(first, attempt) + sum(further)

        return signed(amount)


def _drawn(functions):
    """Return the input functions of what the workflow draws, where it draws anything: each costs every job of a plan."""
    return functions if DRAWN and functions else {}


def _value(kind, wildcards):
    """Return the files of an input: of a pattern, of a list of patterns or of a function that returns either."""
    found = kind(wildcards) if callable(kind) else kind
    if isinstance(found, str):
        return found.format(**wildcards)
    return [pattern.format(**wildcards) for pattern in found]


def _as_list(files):
    return [files] if isinstance(files, str) else list(files)


# What is kept of batches that were interrupted is of no use once nothing is left to do.
onsuccess:
    forget(KEPT)

"""What earlier configs and sheets left among a study's results, and the present ones no longer make.

Only files that the layout has a name for are looked at, with the hidden files beside them, and the logs and benchmarks
of jobs: whatever else lies in the results is somebody's own. A feature set that no method uses just now is kept for as
long as the config names it.
"""

import os
import re
from pathlib import Path, PurePosixPath

from slidecaf.files.manifests import MEMORY
from slidecaf.study.checked import Study
from slidecaf.study.layout import Layout
from slidecaf.study.targets import targets_of

HIDDEN = re.compile(r"\.(?P<name>.+?)\.(made|sha256|left|(stage-2\.)?checkpoint)")
"""Beside a file: what it was made from, its checksum, what its job left alone, what a network is trained on from."""

JOBS_GO_BY = ("task", "features", "method", "variant", "part", "rows", "setting", "batch", "shard")
"""Wildcards in the order in which logs have them."""


def leftovers(study: Study) -> list[Path]:
    """List the files that a study's config and sheets no longer make.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
        In the working directory.

    Returns
    -------
    list of pathlib.Path
        Sorted; relative to the study.
    """
    targets, layout = targets_of(study), Layout(study.config.results, study.config.model)
    made = {*targets.everything(), *targets.of_slides()}
    unused = {name for name in study.feature_sets if not study.slides_of(name)}
    patterns = [_expression(pattern) for pattern in layout.patterns()]
    values = _wildcard_values(patterns, made)
    values |= dict.fromkeys(unused)

    def is_left(path):
        if path in made:
            return False
        for folder, suffix in ((layout.logs, ".log"), (layout.benchmarks, ".tsv")):
            if path.startswith(f"{folder}/") and path.endswith(suffix):
                return _is_of_no_job(path.removeprefix(f"{folder}/").removesuffix(suffix), values)
        found = next(filter(None, (pattern.fullmatch(path) for pattern in patterns)), None)
        return found is not None and found.groupdict().get("features") not in unused

    left = [path for path in _files(layout.results) if is_left(_visible(path))]
    return sorted(Path(path) for path in [*left, *_remembered(left)])


def _expression(pattern):
    """Return a layout's pattern as a regular expression, with a group a wildcard."""
    parts = re.split(r"\{(\w+)\}", pattern)
    named = [f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)]
    return re.compile("".join(named))


def _wildcard_values(patterns, made):
    """Return the wildcards that jobs go by: the first (task, feature set, method, batch) to the others beside it."""
    values = {}
    for path in made:
        found = next(filter(None, (pattern.fullmatch(path) for pattern in patterns)), None)
        named = dict(found.groupdict()) if found else {}
        for key in ("batch", "shard"):
            if key in named:
                named[key] = f"{key}-{named[key]}"
        listed = [named[key] for key in JOBS_GO_BY if named.get(key)]
        if listed:
            values.setdefault(listed[0], set()).update(listed[1:])
    return values


def _is_of_no_job(name, values):
    """Tell whether a log's name, ``{rule}/{wildcards}``, has wildcards that no job goes by."""
    _, *wildcards = name.split("/")
    if not wildcards:
        return False
    first, *others = wildcards
    if first not in values:
        return True
    return values[first] is not None and not values[first].issuperset(others)


def _files(folder):
    """Yield every file below a folder; links to folders are not followed."""
    for top, _, names in os.walk(folder):
        for name in names:
            yield PurePosixPath(top, name).as_posix()


def _visible(path):
    """Return the file that a hidden one belongs to, or the file itself."""
    path = PurePosixPath(path)
    hidden = HIDDEN.fullmatch(path.name)
    return (path.with_name(hidden["name"]) if hidden else path).as_posix()


def _remembered(left):
    """Return what plans and jobs remember of manifests that are left."""
    for path in left:
        for kind in ("sums", "tokens"):
            memory = MEMORY / kind / f"{path}.json"
            if memory.is_file():
                yield memory

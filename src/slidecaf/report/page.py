"""The page itself: results in, one HTML file out."""

from pathlib import Path
from urllib.parse import quote

import jinja2

from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import methods
from slidecaf.report.classification import classification, classification_tables
from slidecaf.report.comparison import ablation, compared_methods
from slidecaf.report.pictures import PATCHES_BYTES, SLIDES_BYTES, Album
from slidecaf.report.results import Results, package_versions
from slidecaf.report.segmentation import IN_FIGURE, SHOWN_HARD, figure6, segmentation, segmentation_tables
from slidecaf.report.timings import duration_text, rule_timings
from slidecaf.study.caveats import MEANINGLESS
from slidecaf.study.config import feature_sets
from slidecaf.study.kinds import CLASSIFICATION_KINDS, SEGMENTATION_KINDS
from slidecaf.study.names import TASKS

TEMPLATES = Path(__file__).parent / "templates"
VIEWER = "http://127.0.0.1:8080/"
"""Where `slidecaf view` serves the study."""


def write_report(path, results, *, command="", commit="") -> int:
    """Write a study's report: one HTML file that needs nothing else.

    Parameters
    ----------
    path : path-like
    results : path-like
        The results folder of a finished study.
    command : str, optional
        How the run was started.
    commit : str, optional
        Of the clone that ran it.

    Returns
    -------
    int
        The file's bytes.

    Raises
    ------
    SlidecafError
        If a result is missing or damaged.
    """
    text = render(context(Results(results), command=command, commit=commit)).encode()
    with atomic(path) as partial:
        partial.write_bytes(text)
    return len(text)


def context(study, *, command="", commit="") -> dict:
    """Gather what the page shows.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    command, commit : str, optional
        As for `write_report`.

    Returns
    -------
    dict
    """
    compared = {task: compared_methods(study, task) for task in TASKS}
    notes = {task: {row["method"]: row["note"] for row in rows} for task, rows in compared.items()}
    album = Album(_pictures(study), allowed=SLIDES_BYTES)
    side_by_side = figure6(study, album)  # before the galleries, which may fill the page
    patches = Album(1, allowed=PATCHES_BYTES)
    found = {
        "classification": [
            classification(study, name, album, patches) for name in study.config.methods("classification")
        ],
        "segmentation": [segmentation(study, name, album) for name in study.config.methods("segmentation")],
    }
    versions = package_versions()
    several = len(study.methods("classification")) > 1
    caveats = _caveats(found)
    return {
        "title": study.config.title or "Report of a slidecaf study",
        "study": study,
        "caveats": caveats,
        "meaningless": any(caveat in MEANINGLESS for caveat in caveats),
        "feature_sets": study.feature_sets(),
        **found,
        "classification_tables": classification_tables(found["classification"], notes["classification"]),
        "segmentation_tables": segmentation_tables(found["segmentation"], notes["segmentation"]),
        "methods": compared,
        "ablation": ablation(study),
        "figure6": side_by_side,
        "compared": read_json(study.layout.comparison) if several else [],
        "timings": rule_timings(study.layout.benchmarks),
        "versions": versions,
        "slide_files": study.slide_files(),
        "method_text": _method_text(study, found, versions),
        "pictures_left_out": album.left_out + patches.left_out,
        "shown_hard": SHOWN_HARD,
        "command": command,
        "commit": commit,
    }


def _caveats(found):
    """Return what has to be said of the study as a whole, and of a method with its name."""
    said = [(method["name"], one) for method in found["classification"] for one in method["scores"]["caveats"]]
    said += [(method["name"], one) for method in found["segmentation"] for one in method["caveats"]]
    kinds = (*CLASSIFICATION_KINDS.values(), *SEGMENTATION_KINDS.values())
    own = {caveat for kind in kinds for caveat in kind.caveats}
    return list(dict.fromkeys(f"{name}: {one}" if one in own else one for name, one in said))


def render(values) -> str:
    """Fill the templates in; all text is escaped.

    Parameters
    ----------
    values : dict
        From `context`.

    Returns
    -------
    str
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration_text,
        "percent": _percent,
        "signed": _signed,
        "viewer": _viewer,
        "network": methods.network,
    }
    return environment.get_template("report.html").render(values)


def _pictures(study):
    """Count the pictures of slides that the page will hold."""
    count = 0
    for name in study.methods("classification"):
        count += len(read_tsv(study.layout.predictions.format(method=name)))
    for name in study.methods("segmentation"):
        rows = read_tsv(study.layout.slide_scores.format(method=name))
        count += 2 * len({row["slide"] for row in rows}) + min(SHOWN_HARD, len({row["slide"] for row in rows}))
    if (several := len(study.methods("segmentation"))) > 1:
        count += IN_FIGURE * (1 + several)
    return count


def _percent(value, digits=1):
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _signed(value, digits):
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _viewer(slide, patch=None):
    """Return where the viewer shows a slide, or a patch of it."""
    place = f"&x={patch['x']}&y={patch['y']}&w={patch['patch_size']}" if patch else ""
    return f"{VIEWER}#slide={quote(slide)}{place}"


def _method_text(study, found, versions):
    """Return the paragraphs on methods, a task each."""
    sets = {feature_set["name"]: feature_set for feature_set in study.feature_sets()}
    paragraphs = []
    for method in found["classification"]:
        task = study.config.classification
        settings = task.methods[method["name"]]
        said = [methods.features_text(sets[name], versions) for name in settings.features]
        pooled = not all(study.is_whole(name) for name in feature_sets(settings))
        said.append(methods.classification_text(task, settings, method["scores"], versions, pooled=pooled))
        paragraphs.append({"title": f"Classification, {method['name']}", "text": " ".join(said)})
    for method in found["segmentation"]:
        task = study.config.segmentation
        settings = task.methods[method["name"]]
        said = [methods.features_text(sets[settings.features], versions)] if settings.features else []
        said.append(methods.segmentation_text(task, settings, method["scores"]))
        paragraphs.append({"title": f"Segmentation, {method['name']}", "text": " ".join(said)})
    return paragraphs

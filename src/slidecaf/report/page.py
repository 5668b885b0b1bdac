"""The page itself: results in, one HTML file out."""

from pathlib import Path
from urllib.parse import quote

import jinja2

from slidecaf.classification.evidence import RIGHT, WRONG
from slidecaf.classification.figure import PATCHES
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import methods
from slidecaf.report.activations import trainings
from slidecaf.report.classification import MAPS, classification, classification_tables, shown_neurons, xray_tables
from slidecaf.report.collection import ENCODINGS, LISTED, SHOWN, encodings_table, layer_grid, shortened
from slidecaf.report.comparison import ablation, compared_methods
from slidecaf.report.paper import SCENES_FISHER, SKIN_STAGES, VGG_LAYERS
from slidecaf.report.pictures import (
    IMAGE_PATCHES_BYTES,
    IMAGES_BYTES,
    PATCHES_BYTES,
    SLIDES_BYTES,
    SMALLEST_IMAGE,
    Album,
)
from slidecaf.report.predictions import predictions_context
from slidecaf.report.results import Results, package_versions
from slidecaf.report.segmentation import IN_FIGURE, SHOWN_HARD, figure6, segmentation, segmentation_tables
from slidecaf.report.timings import duration_text, rule_timings
from slidecaf.study.caveats import MEANINGLESS
from slidecaf.study.config import feature_sets, patch_sets
from slidecaf.study.kinds import CLASSIFICATION_KINDS, SEGMENTATION_KINDS
from slidecaf.study.names import TASKS, is_timm

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
    study = Results(results)
    if study.config.model:
        known = {"study": study, "command": command, "versions": package_versions()}
        text = render(predictions_context(study) | known, "predictions.html").encode()
    else:
        text = render(context(study, command=command, commit=commit)).encode()
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
    album, patches = _albums(study)
    side_by_side = figure6(study, album)  # before the galleries, which may fill the page
    found = {
        "classification": [
            classification(study, name, album, patches) for name in study.config.methods("classification")
        ],
        "segmentation": [segmentation(study, name, album) for name in study.config.methods("segmentation")],
    }
    used = any(is_timm(encoder["model"]) for encoder in study.encoders.values())
    versions, files = package_versions(["timm"] if used else []), study.slide_files()
    several = len(study.methods("classification")) > 1
    caveats, sets, varied = _caveats(found), study.feature_sets(), ablation(study)
    layers, beside = layer_grid(varied, sets), xray_tables if _of_images(study) else classification_tables
    if layers:  # which its chart would say again, with names that run into each other
        varied["charts"] = [chart for chart in varied["charts"] if chart["factor"] != "features"]
    return {
        "title": study.config.title or "Report of a slidecaf study",
        "study": study,
        "caveats": caveats,
        "meaningless": any(caveat in MEANINGLESS for caveat in caveats),
        "feature_sets": sets,
        **found,
        "keep_in_mind": _keep_in_mind(found),
        "classification_tables": beside(found["classification"], notes["classification"]),
        "collection": _of_images(study),
        "made_with": methods.made_with(study),
        "item_name": study.config.classification.item_name if found["classification"] else "slide",
        "encodings": encodings_table(found["classification"], sets),
        "layers": layers,
        "published": {"layers": VGG_LAYERS, "scenes": SCENES_FISHER, "stages": SKIN_STAGES},
        "encoding_names": ENCODINGS,
        "segmentation_tables": segmentation_tables(found["segmentation"], notes["segmentation"]),
        "methods": compared,
        "ablation": varied,
        "trainings": trainings(study),
        "figure6": side_by_side,
        "compared": read_json(study.layout.comparison) if several else [],
        "timings": rule_timings(study.layout.benchmarks),
        "versions": versions,
        "slide_files": files[:LISTED],
        "all_slide_files": len(files),
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


def render(values, template="report.html") -> str:
    """Fill the templates in; all text is escaped.

    Parameters
    ----------
    values : dict
        From `context`, or what another template shows.
    template : str, optional

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
        "signed_short": _signed_short,
        "viewer": _viewer,
        "network": methods.network,
        "network_name": methods.network_name,
    }
    return environment.get_template(template).render(values)


def _of_images(study):
    """Tell whether a study is of a collection of images: all its methods take them whole."""
    methods = study.methods("classification").values()
    return not study.methods("segmentation") and all(
        study.is_whole(name) for settings in methods for name in [*feature_sets(settings), *patch_sets(settings)]
    )


def _albums(study):
    """Return where pictures of slides go, and those of patches."""
    if _of_images(study):
        images = patches = 0
        for name in study.methods("classification"):
            classes = len(read_json(study.layout.scores.format(method=name))["classes"])
            count = len(read_tsv(study.layout.predictions.format(method=name)))
            images += 2 * SHOWN * classes + 3 * MAPS + (count if count <= LISTED else 0)
            patches += shown_neurons(classes) * PATCHES * classes
        return (
            Album(images, allowed=IMAGES_BYTES, smallest=SMALLEST_IMAGE),
            Album(patches, allowed=IMAGE_PATCHES_BYTES, smallest=SMALLEST_IMAGE),
        )
    return Album(_pictures(study), allowed=SLIDES_BYTES), Album(1, allowed=PATCHES_BYTES)


def _pictures(study):
    """Count the pictures of slides that the page will hold."""
    count = 0
    for name in study.methods("classification"):
        count += min(LISTED, len(read_tsv(study.layout.predictions.format(method=name))))
    count += 2 * (WRONG + RIGHT) * len(study.config.explained)
    for name in study.methods("segmentation"):
        rows = read_tsv(study.layout.slide_scores.format(method=name))
        count += 2 * len({row["slide"] for row in rows}) + min(SHOWN_HARD, len({row["slide"] for row in rows}))
    if (several := len(study.methods("segmentation"))) > 1:
        count += IN_FIGURE * (1 + several)
    return count


def _keep_in_mind(found):
    """Return what is odd: where, and what; slides of which the same is said stand together."""
    said, slides = [], {}
    for method in found["classification"]:
        name = f"classification, {method['name']}"
        said += [(name, warning) for warning in method["warnings"]]
        said += [(f"{name}, {part.lower()}", note) for part, scores in method["parts"] for note in scores["notes"]]
        for slide, warning in method["odd"]:
            slides.setdefault(warning, {})[slide] = None
    for method in found["segmentation"]:
        said += [(f"segmentation, {method['name']}", warning) for warning in method["warnings"] + method["notes"]]
        for slide in method["slides"]:
            for warning in slide["warnings"]:
                slides.setdefault(warning, {})[slide["slide"]] = None
    return said + [
        (f"slide{'s' if len(names) > 1 else ''} {shortened(list(names))}", warning) for warning, names in slides.items()
    ]


def _percent(value, digits=1):
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _signed(value, digits):
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _signed_short(value):
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")


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
        said = [f"{methods.patches_text(study.patches(name))}." for name in patch_sets(settings)]
        said += [methods.features_text(sets[name], versions) for name in settings.features]
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

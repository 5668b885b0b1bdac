"""Shared by the rules of the report: what it reads and says of the run. No jobs.

Needs   what common.smk and common_segmentation.smk give
Gives   functions for inputs and params
"""

import shlex
import subprocess

TEMPLATES = os.path.join(
    os.path.dirname(sys.modules["slidecaf"].__file__), "report", "templates"
)


def shown(wildcards):
    """Return what is made for the report alone."""
    files = [f"{RESULTS}/thumbnails/{slide}.jpg" for slide in SLIDE]
    for method in METHODS:
        final = f"{RESULTS}/classification/{method}/final"
        files += [f"{final}/figure5.{suffix}" for suffix in ("png", "tsv")]
    for method in SEGMENTATION_METHODS:
        top = f"{RESULTS}/segmentation/{method}"
        files += [f"{top}/{variant}/thresholds.tsv" for variant in variants(method)]
    return files


def read_by_report(wildcards):
    """Return the results that the report reads; features, maps and rasters are too large for it."""
    files = [STUDY_FILE, *shown(wildcards)]
    tiled = {}
    for method, chosen in METHODS.items():
        top = f"{RESULTS}/classification/{method}"
        files += [f"{top}/{name}" for name in ("predictions.tsv", "scores.json")]
        files += [f"{top}/{part}/choice.json" for part in PARTS]
        for features in chosen["features"]:
            tiled.setdefault(features, set()).update(TRAIN + TEST)
    files += [COMPARISON] if len(METHODS) > 1 else []
    for method, chosen in SEGMENTATION_METHODS.items():
        top = f"{RESULTS}/segmentation/{method}"
        files += [f"{top}/{name}" for name in ("scores.tsv", "scores.json")]
        for variant in variants(method):
            files += [f"{top}/{variant}/{part}/choice.json" for part in LEFT_OUT_PARTS]
        files += slide_files(method, "overlay", "jpg")
        if chosen["hard_examples"]:
            files += [
                f"{top}/{name}" for name in ("hard_examples.tsv", "comparison.json")
            ]
        tiled.setdefault(chosen["features"], set()).update(LEARNED + TESTED)
    for features, slides in sorted(tiled.items()):
        if features in COMPUTED:
            files += [f"{RESULTS}/encoders/{features}.json"]
        files += [f"{RESULTS}/tiles/{features}/{slide}.h5" for slide in sorted(slides)]
    return files


@signed
def commit(wildcards, output):
    """Return which commit of the clone this is, or nothing where there is no git; it reruns nothing."""
    asked = ["git", "-C", workflow.basedir, "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def command():
    """Return how Snakemake was called, without the places of clone and study. Jobs inherit it."""
    clone, study = os.path.abspath(workflow.basedir), os.getcwd()
    said = [
        "." if word == clone else word.replace(f"{clone}/", "").replace(study, "STUDY")
        for word in sys.argv[1:]
    ]
    return os.environ.setdefault("SLIDECAF_COMMAND", shlex.join(["snakemake", *said]))


def template_digest():
    """Digest the report's templates: they are no code that Snakemake or `code` see."""
    texts = {}
    for name in sorted(os.listdir(TEMPLATES)):
        with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
            texts[name] = file.read()
    return value_digest(texts)

"""Shared by all rules: the checked config and sheets, and functions for inputs and params. No jobs.

Needs   config.yaml and the sheets it names
Gives   STUDY, ROWS and other names in capitals; functions for inputs and params
"""

import atexit
import functools
import gc
import inspect
import os
import re
import sys
from math import ceil

from snakemake import sourcecache
from snakemake.resources import Resource
from snakemake.utils import update_config

from slidecaf import demo
from slidecaf.study.config import is_imported
from slidecaf.study.config_file import read_config
from slidecaf.study.names import is_weights_file
from slidecaf.files.fingerprints import Fingerprints, code_digest, value_digest
from slidecaf.errors import SlidecafError
from slidecaf.study.imported import find_sources
from slidecaf.running.lock import is_locked_for_us, lock_study
from slidecaf.pooling.norms import norm_name
from slidecaf.study.provenance import renew_code
from slidecaf.study.checked import check_study
from slidecaf.files.versions import version

SCRIPTS = os.path.join(workflow.basedir, "workflow", "scripts")
ENVIRONMENT = os.path.join(workflow.basedir, "envs", "slidecaf.yaml")

# A plan makes millions of objects that stay; looking for garbage less often takes a tenth off its time.
gc.set_threshold(50_000, 20, 100)
# Snakemake takes the address of a job's script apart three times for each job: as much again.
sourcecache.parse_uri = functools.cache(sourcecache.parse_uri)

# Slides and masks that the workflow draws itself; they need not exist when a plan is made.
MADE = demo.made_paths()


def checked_study():
    """Return the study's config, rows and classes, or end with all their errors."""
    try:
        study = check_study(study_config(), made=MADE)
        return study.plain, study.classification, study.segmentation, study.classes
    except SlidecafError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def study_config():
    """Return config.yaml, and over it what the command line says (`--config`, `--configfile`).

    Snakemake's own reader would run code that stands in a config (a template with `__use_yte__`).
    """
    if config and not os.path.exists("config.yaml"):
        return config
    study = read_config("config.yaml")
    if isinstance(study, dict):
        update_config(study, config)
    return study


STUDY, ROWS, SEGMENTED, CLASSES = checked_study()
TASK = STUDY.get("classification")
METHODS = TASK["methods"] if TASK else {}
RESULTS = STUDY["results"].rstrip("/")
ROW = {row.slide: row for row in ROWS}
SLIDE = {row.slide: row for row in [*ROWS, *SEGMENTED]}
# Few studies have any that are drawn.
DRAWN = any(
    file in MADE
    for row in [*ROWS, *SEGMENTED]
    for file in (row.path, row.mask, row.hemorrhage)
)
TRAIN = sorted(row.slide for row in ROWS if row.split == "train")
TEST = sorted(row.slide for row in ROWS if row.split == "test")
# Folds that the sheet fixes are counted from 0 in the order of their numbers there.
FIXED_FOLDS = {ROW[slide].fold for slide in TRAIN} - {None}
FOLDS = range(len(FIXED_FOLDS) or (TASK["folds"] if TASK else 0))

PARTS = [f"fold-{fold}" for fold in FOLDS] + ["final"]
DECIDED = PARTS if TEST else PARTS[:-1]

LIMITS = {key: STUDY[key] for key in ("max_megapixels", "max_decoded_megapixels")}
IMPORTED = [name for name, one in STUDY["features"].items() if is_imported(one)]
COMPUTED = [name for name in STUDY["features"] if name not in IMPORTED]
SOURCES = {
    name: find_sources(STUDY["features"][name], SLIDE.values())[0] for name in IMPORTED
}

STUDY_FILE = f"{RESULTS}/study.yaml"
CLASSIFICATION = f"{RESULTS}/classification/{{method}}"
COMPARISON = f"{RESULTS}/classification/comparison.json"

# A plan reads no slide twice; losing this memory costs time only.
FINGERPRINTS = Fingerprints(".snakemake/slidecaf/fingerprints.json")
# A job of its own process (on a cluster, two a job) looks at its own slide only, and leaves the memory to the plan.
if workflow.is_main_process:
    FINGERPRINTS.read([row.path for row in SLIDE.values() if os.path.exists(row.path)])
    atexit.register(FINGERPRINTS.save)


wildcard_constraints:
    features="[A-Za-z0-9][A-Za-z0-9._-]*",
    slide="[A-Za-z0-9][A-Za-z0-9._-]*",
    method="[A-Za-z0-9][A-Za-z0-9._-]*",
    part=r"fold-\d+|final",
    variant="plain|hard",


def code(script):
    """Return the digest of a rule's code as a param: an edit reruns what depends on it.

    A job in a process of its own digests its own script only; all of them take a quarter second.
    """
    if workflow.is_main_process:
        return script_digest(script)
    return lambda wildcards: script_digest(script)


def script_digest(script):
    """Digest a script and the slidecaf modules that it imports."""
    return code_digest(os.path.join(SCRIPTS, script))


def versions(*packages):
    """Return versions of packages whose results a rule's files hold; Snakemake itself sees no pip environment."""
    return {package: version(package) for package in packages}


def signed(function):
    """Keep a function's signature with it: Snakemake asks three times a job, and finding it takes longer than the call."""
    function.__signature__ = inspect.signature(function)
    return function


signed(Resource.evaluate)  # asked for eight times a job


def one_of(names):
    """Return a pattern of some feature sets: which of the rules that make features files makes theirs."""
    return "|".join(map(re.escape, names)) or "(?!)"


def untracked(value):
    """Return a params function of a value that reruns nothing; naming `output` keeps it out of what does."""
    return signed(lambda wildcards, output: value)


@signed
def drawn_slide(wildcards):
    """Ask the demo rule for a slide that it draws; all others are there and enter as their fingerprint."""
    path = SLIDE[wildcards.slide].path
    return [path] if path in MADE else []


@signed
def slide_path(wildcards, output):
    """Return a slide's file. Naming `output` keeps the path out of what reruns: a moved slide changes nothing."""
    return SLIDE[wildcards.slide].path


@signed
def slide_fingerprint(wildcards):
    """Return the digest of a slide; a slide yet to be drawn has one when its turn comes.

    A drawn slide enters with the code that draws it too, so that a change of that code reruns the whole chain at
    once, although the slide's own digest is known only after it was drawn anew.
    """
    return file_digest(SLIDE[wildcards.slide].path)


def file_digest(path, whole=False):
    """Return the digest of a slide or mask that may yet have to be drawn."""
    digest = FINGERPRINTS(path, whole=whole) if os.path.exists(path) else ""
    return f"{script_digest('demo.py')}-{digest}" if path in MADE else digest


@signed
def slide_mpp(wildcards):
    """Return the resolution that the sheet gives."""
    return SLIDE[wildcards.slide].mpp


@signed
def tiling(wildcards):
    """Return a feature set's tiling."""
    return STUDY["features"][wildcards.features]["tiling"]


@signed
def encoder(wildcards):
    """Return how a feature set's features come about."""
    return feature_settings(wildcards.features)


def feature_settings(features):
    """Return all of a feature set but where its patches are, and which files are kept."""
    return {
        key: value
        for key, value in STUDY["features"][features].items()
        if key not in ("kind", "tiling", "store")
    }


def dense_tiling(wildcards):
    """Return a feature set's tiling where its stride has to suit the network."""
    chosen = STUDY["features"][wildcards.features]
    return chosen["tiling"] if chosen["extraction"] == "dense" else None


def weights_fingerprint(wildcards):
    """Return the digest of a weights file, or nothing for weights that have a name or a seed."""
    weights = STUDY["features"][wildcards.features]["encoder"]["weights"]
    return FINGERPRINTS(weights) if is_weights_file(weights) else ""


def imported_settings(wildcards):
    """Return whose files an imported feature set has, and the name of their folder; where it lies reruns nothing."""
    settings = STUDY["features"][wildcards.features]
    return {
        "format": settings["format"],
        "folder": os.path.basename(os.path.normpath(settings["folder"])),
    }


def imported_source(wildcards):
    """Return the files of a slide."""
    source = SOURCES[wildcards.features][wildcards.slide]
    return [path.as_posix() for path in source.files]


def imported_digest(wildcards):
    """Return the digests of a slide's files; nothing for one that is missing."""
    files = imported_source(wildcards)
    return [FINGERPRINTS(path) if os.path.exists(path) else "" for path in files]


def first_source(wildcards, output):
    """Return the first file of a feature set, to which the others are compared; it reruns nothing."""
    paths = [source.features for source in SOURCES[wildcards.features].values()]
    return next((path.as_posix() for path in paths if path.is_file()), "")


@signed
def norms(wildcards):
    """Return the norms that the methods ask of a feature set, each once, by name."""
    asked = {
        norm_name(norm): norm
        for method in METHODS.values()
        if wildcards.features in method["features"]
        for norm in method["norm"]
    }
    return [asked[name] for name in sorted(asked)]


def pooled(slides):
    """Return an input function: the pooled files of some slides, for every candidate of a method."""

    def files(wildcards):
        return [
            f"{RESULTS}/pooled/{features}/{slide}.h5"
            for features in METHODS[wildcards.method]["features"]
            for slide in slides
        ]

    return files


def pooled_of_part(wildcards):
    """Return the pooled files of the slides that a part predicts: training slides of a fold, or test slides."""
    return pooled(TEST if wildcards.part == "final" else TRAIN)(wildcards)


def table(slides, *columns):
    """Return some columns of the sheet as rows that a script can be handed."""
    return [
        {column: getattr(ROW[slide], column) for column in columns} for slide in slides
    ]


def training_table(wildcards, output):
    """Return the training rows; naming `output` keeps them out of what reruns, where their digest stands."""
    return table(TRAIN, "slide", "label", "patient", "fold")


def full_table(wildcards, output):
    """Return all rows with labels; naming `output` keeps them out of what reruns, where their digest stands."""
    return table(TRAIN + TEST, "slide", "label", "patient", "split")


def caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    return caveats_of(METHODS[wildcards.method]["features"], ROWS)


def caveats_of(used, rows):
    """Return what has to be said of feature sets and of slides."""
    said = [
        f"imported features ({name}): computed by "
        f"{STUDY['features'][name]['format'].upper()}, not by slidecaf"
        for name in used
        if name in IMPORTED
    ]
    if any(
        STUDY["features"][name]["encoder"]["weights"].startswith("random:")
        for name in used
        if name in COMPUTED
    ):
        said.append("random weights: the network was never trained")
    if any(row.path in MADE for row in rows):
        said.append("synthetic slides: drawn by slidecaf.demo, no tissue")
    return said


def decisions(wildcards):
    """Return the decisions of all folds and, where there are test rows, of the final model."""
    return [
        f"{RESULTS}/classification/{wildcards.method}/{part}/decisions.tsv"
        for part in DECIDED
    ]


def classified(wildcards):
    """Return every file of the classification."""
    used = {features for method in METHODS.values() for features in method["features"]}
    files = [
        f"{RESULTS}/{kind}/{features}/{slide}.h5"
        for features in sorted(used)
        for slide in TRAIN + TEST
        for kind in ("tiles", "features", "pooled")
    ]
    for method in METHODS:
        top = f"{RESULTS}/classification/{method}"
        kinds = ("choice.json", "selection.tsv", "model.json")
        files += [f"{top}/{part}/{kind}" for part in PARTS for kind in kinds]
        files += [f"{top}/{part}/decisions.tsv" for part in DECIDED]
        files += [
            f"{top}/{name}" for name in ("folds.tsv", "predictions.tsv", "scores.json")
        ]
    return [*files, *([COMPARISON] if len(METHODS) > 1 else [])]


def everything(wildcards):
    """Return every file of the study, so that one that was deleted is made again even if nothing needs it."""
    results = [STUDY_FILE, *study_encoders(wildcards)]
    results += [*classified(wildcards), *segmented(wildcards)]
    return [*results, *shown(wildcards), f"{RESULTS}/report.html"]

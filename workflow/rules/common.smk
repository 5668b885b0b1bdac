"""Shared by all rules: the checked study, its batches, and what a job depends on. No jobs.

Needs   config.yaml and the sheets it names
Gives   STUDY, ROWS and other names in capitals; functions for inputs and params
"""

import atexit
import os
import re
import sys

from slidecaf.errors import SlidecafError
from slidecaf.running.environment import check_inherited, check_workflow


def or_end(function, *arguments, **named):
    """Call a function; end with its error where that is one that a user can mend."""
    try:
        return function(*arguments, **named)
    except SlidecafError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


or_end(check_inherited)  # before anything is imported that may be another program's
or_end(check_workflow, os.path.join(str(workflow.current_basedir), "..", ".."))

from slidecaf import demo
from slidecaf.files.fingerprints import MEMORY, Fingerprints
from slidecaf.files.manifests import Token
from slidecaf.files.versions import revisions, version
from slidecaf.study.batches import deal_apart
from slidecaf.study.caveats import caveats_of
from slidecaf.study.checked import check_study
from slidecaf.study.config_file import study_config
from slidecaf.study.copies import Copies
from slidecaf.study.layout import Layout
from slidecaf.study.steps import made_by
from slidecaf.study.targets import Targets
from slidecaf.study.tasks import ClassificationTask, SegmentationTask

VERSION = "0.2.0"  # of the library that this workflow calls
ENVIRONMENT = "../../envs/slidecaf.yaml"

# Slides and masks that the workflow draws itself; they need not exist when a plan is made.
MADE = demo.made_paths()

if version() != VERSION:
    sys.exit(f"this workflow is of slidecaf {VERSION}, and slidecaf {version()} is installed; install {VERSION}.")

# A plan reads no slide twice; losing this memory costs time only.
FINGERPRINTS = Fingerprints(os.path.abspath(MEMORY))
# A job of its own process (on a cluster, two a job) looks at its own slides only, and leaves the memory to the plan.
COPIES = Copies(FINGERPRINTS, ".snakemake/slidecaf/copies.json", look=workflow.is_main_process)
if workflow.is_main_process:
    atexit.register(FINGERPRINTS.save)

# Snakemake's own reader would run code that stands in config.yaml (a template with `__use_yte__`).
CHECKED = or_end(lambda: check_study(study_config(config), made=MADE, copies=COPIES))
STUDY, SLIDE = CHECKED.config, CHECKED.slides
FEATURES = CHECKED.feature_sets  # as they are computed: one whose network is trained here once a part
LIMITS = {key: getattr(STUDY, key) for key in ("max_megapixels", "max_decoded_megapixels")}
IMPORTED = [name for name, one in FEATURES.items() if one.kind == "imported"]
WHOLE = [name for name, one in FEATURES.items() if one.is_whole]  # these have shards, all others tiles and batches
COMPUTED = [name for name in FEATURES if name not in [*IMPORTED, *WHOLE]]
NETWORKS = [name for name, one in FEATURES.items() if one.kind == "network"]
MANUAL = [name for name in COMPUTED if name not in NETWORKS]
MODEL = CHECKED.model  # of a study that learns nothing; None of all others
LISTED = CHECKED.copies + CHECKED.rare
CLASSIFICATION = ClassificationTask(STUDY.classification, CHECKED.classification, LISTED, learns=not MODEL)
SEGMENTATION = SegmentationTask(STUDY.segmentation, CHECKED.segmentation, FEATURES, STUDY.seed, learns=not MODEL)
TASKS = {"classification": CLASSIFICATION, "segmentation": SEGMENTATION}

# The slides that a job works on together: one dealing for all rules.
BATCHES = deal_apart((name for name, splits in CHECKED.splits.items() if "train" in splits), SLIDE, STUDY.batch_size)
LAYOUT = Layout(STUDY.results, STUDY.model)
TARGETS = Targets(
    LAYOUT,
    BATCHES,
    CLASSIFICATION,
    SEGMENTATION,
    slides_of={name: CHECKED.slides_of(name) for name in FEATURES},
    networks=NETWORKS,
    shards=CHECKED.shards,
    trained_by={name: one.trained_by for name, one in STUDY.features.items()},
)


wildcard_constraints:
    task="classification|segmentation",
    features=r"[A-Za-z0-9][A-Za-z0-9._-]*(@fold-\d+)?",
    method="[A-Za-z0-9][A-Za-z0-9._-]*",
    batch=r"\d+",
    shard=r"\d+",
    part=r"fold-\d+|final",
    rows="training|left_out",
    variant="plain|hard",
    setting="(norm|keep|features)-.+",


def one_of(names):
    """Return a pattern of some names: of the rules that make files of one kind, which makes theirs."""
    return "|".join(map(re.escape, names)) or "(?!)"


def shard(wildcards):
    """Return the slides of a shard."""
    return CHECKED.shards[wildcards.features][int(wildcards.shard)]


def batch(slides):
    """Return a function: the slides of a batch that are among some, or in the set that a function of wildcards gives."""
    fixed = None if callable(slides) else frozenset(slides)

    def own(wildcards):
        if slides is shard:
            return shard(wildcards)
        among = slides(wildcards) if fixed is None else fixed
        return [slide for slide in BATCHES[int(wildcards.batch)] if slide in among]

    return own


def paths(slides):
    """Return a function: slide to file, of the slides of a batch."""
    own = batch(slides)
    return lambda wildcards: {slide: SLIDE[slide].path for slide in own(wildcards)}


def drawn(files):
    """Return an input function: of these files those that the demo draws; all others are there, and count by digest."""
    return lambda wildcards: [path for path in files(wildcards).values() if path in MADE]


def file_digest(path, whole=False):
    """Return the digest of a slide or mask, and of one that is drawn also the revision of what draws it."""
    digest = FINGERPRINTS(path, whole=whole) if os.path.exists(path) else ""
    return f"demo-{revisions('demo')['demo']}-{digest}" if path in MADE else digest


def slide_digest(slide, wildcards):
    """Return what a job that reads a slide depends on: its digest, and what the sheet says of its file."""
    row = SLIDE[slide]
    return {"digest": file_digest(row.path), "mpp": row.mpp, "scene": row.scene}


UNUSED = object()  # in place of a value that a job does not depend on: what came later reruns nothing of before


def _values(named, wildcards):
    values = {name: value(wildcards) if callable(value) else value for name, value in named.items()}
    return {name: value for name, value in values.items() if value is not UNUSED}


def tracked(step, *, kind=lambda wildcards: None, libraries=lambda wildcards: (), **named):
    """Return a params function: all that a job's results depend on beside its inputs.

    That is also the revision of slidecaf's packages that the step runs, for its method's kind, and the versions of
    libraries: the step's, and those that `libraries` gives of wildcards. It is one mapping by name, since Snakemake compares the set of params without their names.
    """
    return lambda wildcards: {**_values(named, wildcards), **made_by(step, kind(wildcards), libraries(wildcards))}


def tracked_batch(step, pattern, slides, *, own=lambda slide, wildcards: {}, **named):
    """Return a params function: what the files of a batch's slides depend on beside inputs, slide by slide.

    `token` changes where files of the batch are gone or differ from their manifest.
    """
    settings, in_batch = tracked(step, **named), batch(slides)

    def params(wildcards):
        token = Token(LAYOUT.batch(pattern).format(**wildcards))
        return {
            "slides": {slide: own(slide, wildcards) for slide in in_batch(wildcards)},
            "settings": settings(wildcards),
            "token": token.look() if workflow.is_main_process else token.text,
        }

    return params


def untracked(**named):
    """Return a params function of values that rerun nothing; naming `output` keeps them out of what does."""
    return lambda wildcards, output: _values(named, wildcards)


def reading(slides, **named):
    """Return a params function of what a job that reads slides needs to know, and of more; it reruns nothing."""
    return untracked(paths=paths(slides), limits=LIMITS, on_bad_slide=STUDY.on_bad_slide, **named)

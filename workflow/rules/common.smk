"""Shared by all rules: the checked study, its batches, and what a job depends on. No jobs.

Needs   config.yaml and the sheets it names
Gives   STUDY, SLIDE and other names in capitals; drawn, paths, tracked, tracked_batch, untracked, reading, one_of
"""

import atexit
import os
import sys

from slidecaf.errors import SlidecafError
from slidecaf.files.versions import version
from slidecaf.running.environment import check_inherited, check_workflow

VERSION = "0.2.0"  # of the library that this workflow calls


def or_end(function, *arguments, **named):
    """Call a function; end with its error where that is one that a user can mend."""
    try:
        return function(*arguments, **named)
    except SlidecafError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


or_end(check_inherited)  # before anything is imported that may be another program's
or_end(check_workflow, os.path.join(str(workflow.current_basedir), "..", ".."))

if version() != VERSION:
    sys.exit(f"this workflow is of slidecaf {VERSION}, and slidecaf {version()} is installed; install {VERSION}.")

from slidecaf import demo
from slidecaf.files.fingerprints import MEMORY, Fingerprints
from slidecaf.running.jobs.classification import ClassificationJobs
from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.feature_sets import FeatureSets
from slidecaf.running.jobs.imported import ImportedSets
from slidecaf.running.jobs.methods import MethodJobs
from slidecaf.running.jobs.params import SlideParams, tracked, untracked
from slidecaf.running.jobs.segmentation import SegmentationJobs
from slidecaf.running.jobs.slides import Slides
from slidecaf.running.jobs.wildcards import one_of
from slidecaf.study.checked import check_study
from slidecaf.study.config_file import study_config
from slidecaf.study.copies import Copies
from slidecaf.study.targets import targets_of

ENVIRONMENT = "../../envs/slidecaf.yaml"

# Slides and masks that the workflow draws itself; they need not exist when a plan is made.
MADE = demo.made_paths()

# A plan reads no slide twice; losing this memory costs time only.
FINGERPRINTS = Fingerprints(os.path.abspath(MEMORY))
# A job of its own process (on a cluster, two a job) looks at its own slides only, and leaves the memory to the plan.
COPIES = Copies(FINGERPRINTS, ".snakemake/slidecaf/copies.json", look=workflow.is_main_process)
if workflow.is_main_process:
    atexit.register(FINGERPRINTS.save)

# Snakemake's own reader would run code that stands in config.yaml (a template with `__use_yte__`).
CHECKED = or_end(lambda: check_study(study_config(config), made=MADE, copies=COPIES))
STUDY, SLIDE, FEATURES = CHECKED.config, CHECKED.slides, CHECKED.feature_sets
LIMITS = {key: getattr(STUDY, key) for key in ("max_megapixels", "max_decoded_megapixels")}
TARGETS = targets_of(CHECKED)
LAYOUT, CLASSIFICATION, SEGMENTATION = TARGETS.layout, TARGETS.classification, TARGETS.segmentation

# What jobs take: of their slides, of feature sets, of each task's methods.
SLIDES = Slides(SLIDE, TARGETS.batches, CHECKED.shards, MADE)
DIGESTS = Digests(FINGERPRINTS, SLIDE, MADE)
PARAMS = SlideParams(
    SLIDES, LAYOUT, look=workflow.is_main_process, reading={"limits": LIMITS, "on_bad_slide": STUDY.on_bad_slide}
)
SETS = FeatureSets(CHECKED, TARGETS, SLIDES, DIGESTS)
IMPORTED = ImportedSets({name: FEATURES[name] for name in SETS.imported}, SLIDE.values(), DIGESTS)
CLASSIFIED = ClassificationJobs(CHECKED, TARGETS, SLIDES, DIGESTS, MADE)
SEGMENTED = SegmentationJobs(CHECKED, TARGETS, SLIDES, DIGESTS, MADE)
METHODS = MethodJobs(TARGETS, SETS.imported, lambda: workflow.rules)
drawn, paths, tracked_batch, reading = SLIDES.drawn, SLIDES.paths, PARAMS.tracked_batch, PARAMS.reading

if workflow.is_main_process:
    DIGESTS.read_ahead(SEGMENTED.mask_files())


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

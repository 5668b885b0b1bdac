"""What jobs of several rules take: functions for inputs and params, by task. No jobs.

Needs   what common.smk gives
Gives   functions for inputs and params
"""

from functools import cache

from slidecaf.pooling.norms import norm_name
from slidecaf.study.imported import ImportedSet
from slidecaf.study.names import is_weights_file

# Sets, made once a plan: every job asks for them.
TESTED = frozenset(SEGMENTATION.test)
SEGMENTED = batch(SEGMENTATION.rows)
FOR = {name: frozenset(CHECKED.slides_of(name) or SLIDE) for name in FEATURES}
KEPT = {name: frozenset(CHECKED.slides_with_features(name) or SLIDE) for name in FEATURES}


def slides_of(wildcards):
    """Return the slides that a feature set is for: all where no method uses it and it is asked for by name."""
    return FOR[wildcards.features]


SETS = {name: ImportedSet(FEATURES[name], SLIDE.values()) for name in IMPORTED}


def feature_settings(features):
    """Return what a feature set's features come of; which files are kept reruns nothing."""
    return {key: value for key, value in FEATURES[features].given().items() if key != "store"}


def dense_tiling(wildcards):
    """Return a feature set's tiling where its stride has to suit the network."""
    chosen = FEATURES[wildcards.features]
    return chosen.tiling.given() if chosen.extraction == "dense" else None


def weights_digest(wildcards):
    """Return the digest of a weights file, or nothing for weights that have a name or a seed."""
    weights = FEATURES[wildcards.features].encoder.weights
    return FINGERPRINTS(weights, whole=True) if is_weights_file(weights) else ""


def kept_slides(wildcards):
    """Return the slides whose features are kept in a file."""
    return KEPT[wildcards.features]


FEW = 8  # jobs that may fail for one wrong layer; of these each looks at its network itself


@cache
def first_features(features):
    """Return the first manifest of a network's features, by which it is described; nothing where a job of its own
    looks at it first: it then fails once, and chooses one precision for all."""
    manifests = TARGETS.manifests(LAYOUT.features, KEPT[features], features=features)
    return [] if FEATURES[features].precision == "auto" or len(manifests) > FEW else manifests[:1]


def imported_from(slide, wildcards):
    """Return what the patches and features of a slide depend on; nothing stands for a file that is missing."""
    files = SETS[wildcards.features].files(slide)
    digests = [FINGERPRINTS(path) if os.path.exists(path) else "" for path in files]
    return {**slide_digest(slide, wildcards), "files": digests}


def imported_files(wildcards):
    """Return the files of each slide of a batch."""
    return {slide: SETS[wildcards.features].files(slide) for slide in batch(slides_of)(wildcards)}


def norms(wildcards):
    """Return the norms that the methods ask of a feature set, each once, by name."""
    asked = {
        norm_name(norm): norm
        for method in CLASSIFICATION.methods.values()
        if wildcards.features in method.features
        for norm in method.norm
    }
    return [asked[name] for name in sorted(asked)]


def of_candidates(kind, slides):
    """Return an input function: the manifests of some slides, of every feature set that is a method's candidate."""
    return lambda wildcards: [
        manifest
        for features in CLASSIFICATION.methods[wildcards.method].features
        for manifest in TARGETS.manifests(kind, slides, features=features)
    ]


def pooled_of_part(wildcards):
    """Return the pooled vectors of the slides that a part decides on: training slides of a fold, or test slides."""
    final = wildcards.part == "final"
    return of_candidates(LAYOUT.pooled, CLASSIFICATION.test if final else CLASSIFICATION.train)(wildcards)


def method_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = CLASSIFICATION.methods[wildcards.method].features
    return caveats_of(FEATURES, used, CLASSIFICATION.rows.values(), MADE)


if workflow.is_main_process:
    masks_there = [path for row in SEGMENTATION.rows.values() for path in (row.mask, row.hemorrhage)]
    FINGERPRINTS.read(filter(os.path.exists, masks_there), whole=True)


def setting(*keys):
    """Return a function: some settings of a method."""
    return lambda wildcards: {key: getattr(SEGMENTATION.methods[wildcards.method], key) for key in keys}


def hard_settings(wildcards):
    """Return the settings of the hard examples; they concern the hard variant only."""
    chosen = SEGMENTATION.methods[wildcards.method].hard_examples
    return None if dict(wildcards).get("variant") == "plain" or chosen is None else chosen.plain()


def variants(wildcards):
    """Return the variants of a method."""
    return SEGMENTATION.variants(wildcards.method)


def of_batch(kind):
    """Return an input function: the batch's manifest of a method's feature set."""
    return lambda wildcards: LAYOUT.batch(kind).format(
        features=SEGMENTATION.features(wildcards.method), batch=wildcards.batch
    )


def of_training(kind):
    """Return an input function: the manifests of all training slides, of a method's feature set."""
    return lambda wildcards: TARGETS.manifests(
        kind, SEGMENTATION.train, features=SEGMENTATION.features(wildcards.method)
    )


def maps_of(variant):
    """Return an input function: a variant's maps of all training slides."""
    return lambda wildcards: TARGETS.manifests(
        LAYOUT.maps, SEGMENTATION.train, method=wildcards.method, variant=variant.format(**wildcards)
    )


def hard_lists(wildcards):
    """Return the hard examples of every part, for the hard variant."""
    lists = expand(LAYOUT.hard_examples_of_part, part=SEGMENTATION.left_out, **wildcards)
    return [] if wildcards.variant == "plain" else [*lists, LAYOUT.hard_examples.format(**wildcards)]


def mapped_parts(wildcards):
    """Return the parts that map the slides of a batch."""
    return sorted({SEGMENTATION.part_of(slide) for slide in SEGMENTED(wildcards)})


def where(slides, pattern):
    """Return an input function: a file, where some of these slides are in the batch; otherwise nothing."""
    in_batch = batch(slides)

    def files(wildcards):
        path = pattern(wildcards) if callable(pattern) else pattern.format(**wildcards)
        return [path] if in_batch(wildcards) else []

    return files


def judged_on_the_way(wildcards):
    """Return the test slides that have confidences and no features file."""
    return TESTED if SEGMENTATION.is_fused(wildcards.method) else frozenset()


def judged_from_features(wildcards):
    """Return the test slides that are mapped from a features file, by the model of all training rows."""
    return frozenset() if SEGMENTATION.is_fused(wildcards.method) else TESTED


def masks(wildcards):
    """Return slide to its masks and where the sheet lists them, for errors."""
    return SEGMENTATION.masks(SEGMENTED(wildcards))


def slides_and_masks(wildcards):
    """Return the files of a batch's slides and of their masks, each under a name of its own."""
    found, of_masks = {slide: SLIDE[slide].path for slide in SEGMENTED(wildcards)}, masks(wildcards).items()
    return found | {(slide, kind): own[kind] for slide, own in of_masks for kind in ("mask", "hemorrhage")}


def mask_digests(slide, wildcards):
    """Return the digests of a slide's masks."""
    listed = SEGMENTATION.masks([slide])[slide]
    return {kind: listed[kind] and file_digest(listed[kind], whole=True) for kind in ("mask", "hemorrhage")}


def segmented_from(slide, wildcards):
    """Return what the map, mask and picture of a slide depend on."""
    own = slide_digest(slide, wildcards)
    return {**own, "part": SEGMENTATION.part_of(slide), "masks": mask_digests(slide, wildcards)}


def segmentation_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = [SEGMENTATION.features(wildcards.method)]
    return caveats_of(FEATURES, used, SEGMENTATION.rows.values(), MADE)


def segments_of(variant):
    """Return an input function: the manifests of a method's maps and masks, where it has the variant."""
    return lambda wildcards: TARGETS.manifests(
        LAYOUT.segments,
        SEGMENTATION.rows if variant in variants(wildcards) else [],
        method=wildcards.method,
        variant=variant,
    )

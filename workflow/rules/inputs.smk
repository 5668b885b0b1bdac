"""What jobs of several rules take: functions for inputs and params, by task. No jobs.

Needs   what common.smk gives
Gives   functions for inputs and params
"""

from functools import cache

from slidecaf.pooling.norms import norm_name
from slidecaf.running.measured import jobs_behind
from slidecaf.study.caveats import note_of
from slidecaf.study.config import feature_sets, patch_sets
from slidecaf.study.imported import ImportedSet
from slidecaf.study.kinds import settings_used, told_apart
from slidecaf.study.names import is_timm, is_weights_file, set_of_part, split_output, split_part

# Sets, made once a plan: every job asks for them.
TESTED = frozenset(SEGMENTATION.test)
CLASSIFIED = batch(CLASSIFICATION.rows)
SEGMENTED = batch(SEGMENTATION.rows)
FOR = {name: frozenset(CHECKED.tiled_slides(name) or SLIDE) for name in FEATURES}
KEPT = {name: frozenset(CHECKED.slides_with_features(name) or SLIDE) for name in FEATURES}


def slides_of(wildcards):
    """Return the slides whose patches a feature set has: all where no method uses it and it is asked for by name."""
    return FOR[wildcards.features]


def regions(wildcards):
    """Return slide to the file of its region of interest, of the slides of a batch that have one."""
    return {slide: SLIDE[slide].roi for slide in batch(slides_of)(wildcards) if SLIDE[slide].roi}


def tiled_from(slide, wildcards):
    """Return what the patches of a slide depend on: also its region of interest, where it has one."""
    own, region = slide_digest(slide, wildcards), SLIDE[slide].roi
    return own | {"roi": file_digest(region, whole=True)} if region else own


SETS = {name: ImportedSet(FEATURES[name], SLIDE.values()) for name in IMPORTED}


def feature_settings(features):
    """Return what a feature set's features come of; which files are kept, and how many, reruns nothing."""
    return {key: value for key, value in FEATURES[features].given().items() if key not in ("store", "shards")}


def stain_target(wildcards):
    """Return what the slides of a feature set are made to look like; None where colours are left as they are."""
    return CHECKED.stain_target(features_of(wildcards))


def stain_digest(wildcards):
    """Return what features depend on of it."""
    target = stain_target(wildcards)
    return {"digest": file_digest(target["path"]), "mpp": target["mpp"], "scene": target["scene"]} if target else UNUSED


def with_target(files):
    """Return a function: slides' files, and that of what they are made to look like."""
    return lambda wildcards: {**files(wildcards), **({"": own["path"]} if (own := stain_target(wildcards)) else {})}


def dense_tiling(wildcards):
    """Return a feature set's tiling where its stride has to suit the network."""
    chosen = FEATURES[wildcards.features]
    return chosen.tiling.given() if chosen.extraction == "dense" else None


def trained_network(wildcards):
    """Return the network that a method trains for a feature set's part; nothing where its weights are from elsewhere."""
    name, fold = split_part(wildcards.features)
    method = STUDY.features[name].trained_by
    return LAYOUT.network.format(method=method, part=fold or "final") if method else []


def weights_digest(wildcards):
    """Return the digest of a weights file, or nothing for weights that have a name or a seed, or are an input."""
    encoder = FEATURES[wildcards.features].encoder
    if trained_network(wildcards):
        return ""
    return FINGERPRINTS(encoder.weights, whole=True) if is_weights_file(encoder.weights, encoder.model) else ""


def timm_of(features):
    """Return the library of a feature set's network where that is not torchvision."""
    return ("timm",) if is_timm(FEATURES[features].encoder.model) else ()


def network_library(wildcards):
    """Return the libraries of a feature set: only who uses timm computes anew with another version of it."""
    return network_library_of(wildcards.features)


def network_library_of(features):
    """Return the same of a feature set's name."""
    return (*timm_of(features), *hair_library(FEATURES[features]))


def hair_library(settings):
    """Return the library that draws over hair, of a feature set or a method that asks for it."""
    return ("scipy",) if settings.image.hair_removal else ()


def image_library(wildcards):
    """Return the same of a method that trains a network."""
    return hair_library(CLASSIFICATION.methods[wildcards.method])


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


def looked_at_first(wildcards):
    """Return the description of a feature set's network, where a job of its own looks at it before any slide."""
    return [] if first_features(wildcards.features) else [LAYOUT.encoder.format(**wildcards)]


def imported_from(slide, wildcards):
    """Return what the patches and features of a slide depend on; nothing stands for a file that is missing."""
    files = SETS[wildcards.features].files(slide)
    digests = [FINGERPRINTS(path) if os.path.exists(path) else "" for path in files]
    return {**slide_digest(slide, wildcards), "files": digests}


def imported_files(wildcards):
    """Return the files of each slide of a batch."""
    return {slide: SETS[wildcards.features].files(slide) for slide in batch(slides_of)(wildcards)}


def norms(wildcards):
    """Return the norms that methods and an ablation ask of a feature set, or of each output, each once, by name."""
    asked = {}
    for method in [*CLASSIFICATION.methods.values(), *CLASSIFICATION.tried()]:
        for features, output in map(split_output, method.features if method.about.reads == "pooled" else ()):
            if features == wildcards.features:
                asked.setdefault(output, {}).update({norm_name(norm): norm for norm in method.norm})
    listed = {output: [own[name] for name in sorted(own)] for output, own in sorted(asked.items())}
    return listed if FEATURES[wildcards.features].outputs else listed.get("", [])


def of_candidates(kind, slides):
    """Return an input function: the manifests of some slides, of every feature set that is a method's candidate.

    Of a set that is computed once a part they are those of the job's part.
    """
    return lambda wildcards: [
        manifest
        for features in feature_sets(CLASSIFICATION.methods[wildcards.method])
        for manifest in TARGETS.manifests(kind, slides, features=as_computed(features, wildcards.get("part", "final")))
    ]


def as_computed(features, part):
    """Return the name under which a part's features of a set lie."""
    return set_of_part(features, part) if STUDY.features[features].trained_by else features


def kind(wildcards):
    """Return what has to be known of a method's kind."""
    return CLASSIFICATION.methods[wildcards.method].about


def kind_name(wildcards):
    """Return the entry of a method among the kinds."""
    return CLASSIFICATION.methods[wildcards.method].way


def as_read(slides, rows="training"):
    """Return an input function: of some slides what a method's kind reads, pooled vectors or those of all patches.

    Encoded vectors have a file for the rows that the part learns from, and one for those that it decides on.
    """

    def read(wildcards):
        if kind(wildcards).reads == "encoded":
            return LAYOUT.encoded.format(rows=rows, **wildcards)
        return of_candidates(getattr(LAYOUT, kind(wildcards).reads), slides)(wildcards)

    return read


def decided_slides(wildcards):
    """Return the slides among which a part's decisions are: training slides of a fold, or test slides."""
    return CLASSIFICATION.test if wildcards.part == "final" else CLASSIFICATION.train


def trained_paths(wildcards):
    """Return the files of the training slides, of which a part leaves out some."""
    return {slide: SLIDE[slide].path for slide in CLASSIFICATION.train}


def decided_paths(wildcards):
    """Return the files of the slides among which a part's decisions are."""
    return {slide: SLIDE[slide].path for slide in decided_slides(wildcards)}


def tiles_of(slides):
    """Return an input function: where the patches of slides are that a network learns from; nothing of whole images."""
    return lambda wildcards: [
        manifest
        for features in patch_sets(CLASSIFICATION.methods[wildcards.method])
        for manifest in TARGETS.manifests(
            LAYOUT.tiles, slides(wildcards) if callable(slides) else slides, features=features
        )
    ]


def first_weights(wildcards):
    """Return the digest of the weights file that a network's training begins with; nothing for other weights."""
    weights = CLASSIFICATION.methods[wildcards.method].weights
    return FINGERPRINTS(weights, whole=True) if weights and is_weights_file(weights) else ""


def decided_on(wildcards):
    """Return what the kind reads of the slides that a part decides on."""
    return as_read(decided_slides(wildcards), "left_out")(wildcards)


def descriptors_of(wildcards):
    """Return the features of the rows that are encoded: those that the part learns from, or decides on."""
    slides = decided_slides(wildcards) if wildcards.get("rows") == "left_out" else CLASSIFICATION.train
    return of_candidates(LAYOUT.features, slides)(wildcards)


def codebooks(wildcards):
    """Return what a method's codebooks are: all that mixtures and encoded vectors depend on of its settings."""
    method = CLASSIFICATION.methods[wildcards.method]
    return {"features": method.features, **{key: getattr(method.fisher, key) for key in ("pca", "components", "steps")}}


def folds_of_choice(wildcards):
    """Return how many inner folds a part wants; none where it has nothing to choose and no held-out rows to judge."""
    several = CLASSIFICATION.methods[wildcards.method].candidates > 1
    return CLASSIFICATION.setting("inner_folds") if several or wildcards.part != "final" else None


def candidates_of_batch(wildcards):
    """Return a batch's features manifest of every feature set that is a method's candidate."""
    used = feature_sets(CLASSIFICATION.methods[wildcards.method])
    return [LAYOUT.batch(LAYOUT.features).format(features=name, batch=wildcards.batch) for name in used]


def pooled_of_batch(wildcards):
    """Return a batch's manifest of pooled vectors of every feature set that is a method's candidate."""
    used = feature_sets(CLASSIFICATION.methods[wildcards.method])
    return [LAYOUT.batch(LAYOUT.pooled).format(features=name, batch=wildcards.batch) for name in used]


def sets_of_batch(wildcards):
    """Return the manifests that a batch's slides are in, of every feature set that is a method's candidate."""
    used = feature_sets(CLASSIFICATION.methods[wildcards.method])
    named = {as_computed(name, part) for name in used for part in scoring_parts(wildcards)}
    return {name: TARGETS.manifests(LAYOUT.features, CLASSIFIED(wildcards), features=name) for name in sorted(named)}


def drawn_from(slide, wildcards):
    """Return what a slide's map depends on beside models and features: its file, and its mask."""
    mask = CLASSIFICATION.rows[slide].mask
    return {**slide_digest(slide, wildcards), "mask": mask and file_digest(mask, whole=True)}


def masks_of_maps(wildcards):
    """Return slide to its mask, of the slides of a batch; empty where it has none."""
    return {slide: CLASSIFICATION.rows[slide].mask for slide in CLASSIFIED(wildcards)}


def scoring_parts(wildcards):
    """Return the parts one of which never saw a slide of a batch: any fold of training slides, `final` of others."""
    splits = {CLASSIFICATION.rows[slide].split for slide in CLASSIFIED(wildcards)}
    return [part for part in CLASSIFICATION.parts if ("test" if part == "final" else "train") in splits]


def of_setting(kind):
    """Return an input function: the manifests of all training slides, of what is read with one setting varied."""
    return lambda wildcards: [
        manifest
        for features in feature_sets(CLASSIFICATION.varied(wildcards.setting))
        for manifest in TARGETS.manifests(kind, CLASSIFICATION.train, features=features)
    ]


def method_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = CLASSIFICATION.methods[wildcards.method].features
    return with_those_of_model("classification", caveats_of(STUDY.features, used, CLASSIFICATION.rows.values(), MADE))


def with_those_of_model(task, caveats):
    """Return caveats, and before them those of a model that is given."""
    return list(dict.fromkeys([*(MODEL.caveats(task) if MODEL else ()), *caveats]))


if workflow.is_main_process:
    masks_there = [path for row in SEGMENTATION.rows.values() for path in (row.mask, row.hemorrhage)]
    FINGERPRINTS.read(filter(os.path.exists, masks_there), whole=True)


def setting(*keys):
    """Return a function: some settings of a method, without those of later versions that it does not use."""
    return lambda wildcards: settings_used(SEGMENTATION.methods[wildcards.method], keys)


def hard_settings(wildcards):
    """Return the settings of the hard examples; they concern the hard variant only."""
    chosen = SEGMENTATION.methods[wildcards.method].hard_examples
    return None if dict(wildcards).get("variant") == "plain" or chosen is None else chosen.plain()


def variants(wildcards):
    """Return the variants of a method."""
    return SEGMENTATION.variants(wildcards.method)


def of_method(kind, method):
    """Return a pattern of files; `cells` and `labels` stand for those that the method's kind has of its own."""
    return getattr(LAYOUT, getattr(SEGMENTATION.kind(method), kind)) if kind in ("cells", "labels") else kind


def of_batch(kind):
    """Return an input function: the batch's manifest of a method, or of its feature set."""
    return lambda wildcards: LAYOUT.batch(of_method(kind, wildcards.method)).format(
        **{"features": SEGMENTATION.features(wildcards.method), **wildcards}
    )


def of_training(kind):
    """Return an input function: the manifests of all training slides, of a method, or of its feature set."""
    return lambda wildcards: TARGETS.manifests(
        of_method(kind, wildcards.method),
        SEGMENTATION.train,
        features=SEGMENTATION.features(wildcards.method),
        method=wildcards.method,
    )


def grid(wildcards):
    """Return the candidates among which a part chooses: those that have maps of their own, and sizes."""
    return told_apart(SEGMENTATION.methods[wildcards.method]) | setting("smooth", "min_object", "max_hole")(wildcards)


def mapped(wildcards):
    """Return the slides that have a maps file."""
    return SEGMENTATION.rows if SEGMENTATION.kind(wildcards.method).maps_test else SEGMENTATION.groups


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


def mapping_parts(wildcards):
    """Return the parts that have a model which maps a slide of a batch: of a test slide the final one alone."""
    own = mapped_parts(wildcards)
    return [part for part in SEGMENTATION.parts if (part in own if part == "final" else own != ["final"])]


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
    other = SEGMENTATION.is_fused(wildcards.method) or SEGMENTATION.kind(wildcards.method).maps_test
    return frozenset() if other else TESTED


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
    used = filter(None, [SEGMENTATION.features(wildcards.method)])
    own = SEGMENTATION.kind(wildcards.method).caveats
    said = [*own, *caveats_of(STUDY.features, used, SEGMENTATION.rows.values(), MADE)]
    return with_those_of_model("segmentation", said)


def segments_of(variant):
    """Return an input function: the manifests of a method's maps and masks, where it has the variant."""
    return lambda wildcards: TARGETS.manifests(
        LAYOUT.segments,
        SEGMENTATION.rows if variant in variants(wildcards) else [],
        method=wildcards.method,
        variant=variant,
    )


def of_methods(classification, segmentation):
    """Return an input function: a file of each method of a task, by its name in the layout."""
    named = {"classification": classification, "segmentation": segmentation}
    return lambda wildcards: expand(getattr(LAYOUT, named[wildcards.task]), method=TASKS[wildcards.task].methods)


def noted_methods(wildcards):
    """Return the kind of each method of a task, and what has to be said of it."""
    methods = TASKS[wildcards.task].methods
    return {name: {"kind": chosen.kind, "note": note_of(chosen.kind)} for name, chosen in methods.items()}


def measured_jobs(wildcards):
    """Return method to variant to its jobs; none where another program computed features, whose time is not known."""
    found = {}
    for method, chosen in TASKS[wildcards.task].methods.items():
        known = not set(feature_sets(chosen)) & set(IMPORTED)
        found[method] = {
            variant: jobs_behind(workflow.rules, TARGETS.behind(wildcards.task, method, variant)) if known else []
            for variant in (SEGMENTATION.variants(method) if wildcards.task == "segmentation" else [""])
        }
    return found

"""Shared by the rules of the segmentation: its rows, parts and files. No jobs.

Needs   what common.smk gives
Gives   names in capitals; functions for inputs and params
"""

from slidecaf.segmentation.parts import leave_out

SEGMENTATION_TASK = STUDY.get("segmentation")
SEGMENTATION_METHODS = SEGMENTATION_TASK["methods"] if SEGMENTATION_TASK else {}
SEGMENTED_ROW = {row.slide: row for row in SEGMENTED}
LEARNED = sorted(row.slide for row in SEGMENTED if row.split == "train")
TESTED = sorted(row.slide for row in SEGMENTED if row.split == "test")
SEGMENTATION = f"{RESULTS}/segmentation/{{method}}"
VARIANT = f"{SEGMENTATION}/{{variant}}"


def group_of_slides():
    """Return training slide to the group of patients with which it is left out: no label is looked at."""
    if not SEGMENTED:
        return {}
    rows = [SEGMENTED_ROW[slide] for slide in LEARNED]
    fixed = [row.fold for row in rows] if rows[0].fold is not None else None
    patients = [row.patient for row in rows]
    return leave_out(
        LEARNED,
        patients,
        SEGMENTATION_TASK["folds"],
        seed=STUDY["seed"],
        fixed=fixed,
    )


GROUP = group_of_slides()
LEFT_OUT = [f"fold-{group}" for group in sorted(set(GROUP.values()))]
LEFT_OUT_PARTS = [*LEFT_OUT, "final"] if SEGMENTED else []

if workflow.is_main_process:
    FINGERPRINTS.read(
        [
            mask
            for row in SEGMENTED
            for mask in (row.mask, row.hemorrhage)
            if mask and os.path.exists(mask)
        ],
        whole=True,
    )


@signed
def drawn_masks(wildcards):
    """Ask the demo rule for masks that it draws."""
    row = SEGMENTED_ROW[wildcards.slide]
    return [mask for mask in (row.mask, row.hemorrhage) if mask in MADE]


@signed
def masks(wildcards, output):
    """Return a slide's masks and where the sheet lists them, for errors; they enter as their digests."""
    row = SEGMENTED_ROW[wildcards.slide]
    return {"row": row.number, "mask": row.mask, "hemorrhage": row.hemorrhage}


@signed
def mask_digests(wildcards):
    """Return the digests of a slide's masks."""
    row = SEGMENTED_ROW[wildcards.slide]
    return [
        file_digest(mask, whole=True) for mask in (row.mask, row.hemorrhage) if mask
    ]


def settings(*keys):
    """Return a params function: some settings of a method."""

    @signed
    def chosen(wildcards):
        method = SEGMENTATION_METHODS[wildcards.method]
        return {key: method[key] for key in keys}

    return chosen


def hard_settings(wildcards):
    """Return the settings of the hard examples; they concern the hard variant only."""
    if dict(wildcards).get("variant") == "plain":
        return None
    return SEGMENTATION_METHODS[wildcards.method]["hard_examples"]


def variants(method):
    """Return the variants of a method."""
    retrained = SEGMENTATION_METHODS[method]["hard_examples"]
    return ["plain", "hard"] if retrained else ["plain"]


def of_slides(kind, slides):
    """Return an input function: a file of the method's feature set for each of some slides."""

    def files(wildcards):
        features = SEGMENTATION_METHODS[wildcards.method]["features"]
        return [f"{RESULTS}/{kind}/{features}/{slide}.h5" for slide in slides]

    return files


def of_slide(kind):
    """Return an input function: the slide's file of the method's feature set."""

    @signed
    def file(wildcards):
        features = SEGMENTATION_METHODS[wildcards.method]["features"]
        return f"{RESULTS}/{kind}/{features}/{wildcards.slide}.h5"

    return file


def hard_lists(wildcards):
    """Return the hard examples of every part, for the hard variant."""
    if wildcards.variant == "plain":
        return []
    top = f"{RESULTS}/segmentation/{wildcards.method}"
    return [
        *(f"{top}/hard/{part}/hard_examples.tsv" for part in LEFT_OUT),
        f"{top}/hard_examples.tsv",
    ]


def mapped_slides(part):
    """Return the slides whose maps choose a part's C and threshold: those that it does not leave out."""
    return [slide for slide in LEARNED if f"fold-{GROUP[slide]}" != part]


def maps_of_part(wildcards):
    """Return the maps that choose a part's C and threshold."""
    top = f"{RESULTS}/segmentation/{wildcards.method}/{wildcards.variant}/maps"
    return [f"{top}/{slide}.h5" for slide in mapped_slides(wildcards.part)]


def labels_of_part(wildcards):
    """Return the labels of these slides."""
    return of_slides("labels", mapped_slides(wildcards.part))(wildcards)


@signed
def part_of_slide(wildcards):
    """Return the part that maps a slide: the one that leaves it out, or the final one for a test slide."""
    return f"fold-{GROUP[wildcards.slide]}" if wildcards.slide in GROUP else "final"


def mapped_from(kind, path):
    """Return an input function: a file that a slide is mapped from, or nothing where it is mapped otherwise.

    A training slide has maps of the models that left it out; a test slide confidences, or features and the final model.
    """

    @signed
    def files(wildcards):
        if wildcards.slide in GROUP:
            own = ["maps"]
        elif fused(wildcards.method):
            own = ["confidences"]
        else:
            own = ["features", "model"]
        return [path(wildcards) if callable(path) else path] if kind in own else []

    return files


def fused(method):
    """Tell whether a method judges the patches of test rows as the network gives them."""
    features = SEGMENTATION_METHODS[method]["features"]
    return STUDY["features"][features].get("store") == "train"


@signed
def final_models(wildcards):
    """Return the models of all training rows, of every variant."""
    top = f"{RESULTS}/segmentation/{wildcards.method}"
    return [f"{top}/{variant}/final/model.h5" for variant in variants(wildcards.method)]


@signed
def encoder_of_method(wildcards):
    """Return the file that describes the network of a method's feature set."""
    features = SEGMENTATION_METHODS[wildcards.method]["features"]
    return f"{RESULTS}/encoders/{features}.json"


@signed
def encoder_settings(wildcards):
    """Return how a method's features come about."""
    return feature_settings(SEGMENTATION_METHODS[wildcards.method]["features"])


@signed
def truth_of_slide(wildcards):
    """Return a slide's labels, where it has a mask."""
    if SEGMENTED_ROW[wildcards.slide].mask:
        return [of_slide("labels")(wildcards)]
    return []


def slide_files(method, kind, suffix):
    """Return a file a slide and variant."""
    return [
        f"{RESULTS}/segmentation/{method}/{variant}/{kind}/{slide}.{suffix}"
        for variant in variants(method)
        for slide in LEARNED + TESTED
    ]


def segmentation_table(wildcards, output):
    """Return the sheet's rows; naming `output` keeps them out of what reruns, where their digest stands."""
    return [
        {
            key: getattr(SEGMENTED_ROW[slide], key)
            for key in ("slide", "patient", "split")
        }
        for slide in LEARNED + TESTED
    ]


@signed
def segmentation_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    features = SEGMENTATION_METHODS[wildcards.method]["features"]
    return caveats_of([features], SEGMENTED)


def segmented(wildcards):
    """Return every file of the segmentation."""
    files = []
    for method, chosen in SEGMENTATION_METHODS.items():
        top, features = f"{RESULTS}/segmentation/{method}", chosen["features"]
        files += [
            f"{RESULTS}/{kind}/{features}/{slide}.h5"
            for slide in LEARNED + TESTED
            for kind in ("tiles", "features")
            if kind == "tiles" or slide in LEARNED or not fused(method)
        ]
        files += [
            f"{RESULTS}/labels/{features}/{slide}.h5"
            for slide in LEARNED + TESTED
            if SEGMENTED_ROW[slide].mask
        ]
        if fused(method):
            files += [f"{top}/confidences/{slide}.h5" for slide in TESTED]
        for variant in variants(method):
            files += [f"{top}/{variant}/{part}/model.h5" for part in LEFT_OUT_PARTS]
            files += [f"{top}/{variant}/{part}/choice.json" for part in LEFT_OUT_PARTS]
            files += [f"{top}/{variant}/maps/{slide}.h5" for slide in LEARNED]
        files += slide_files(method, "confidence", "tif")
        files += slide_files(method, "mask", "tif")
        files += slide_files(method, "overlay", "jpg")
        files += slide_files(method, "geojson", "geojson")
        files += slide_files(method, "score", "json")
        files += [
            f"{top}/{name}" for name in ("folds.tsv", "scores.tsv", "scores.json")
        ]
        if chosen["hard_examples"]:
            files += [f"{top}/hard/{part}/hard_examples.tsv" for part in LEFT_OUT]
            kinds = ("hard_examples.tsv", "hard_examples.json", "comparison.json")
            files += [f"{top}/{kind}" for kind in kinds]
    return files


def study_encoders(wildcards):
    """Return what describes the networks of the feature sets that a method uses."""
    used = {features for method in METHODS.values() for features in method["features"]}
    used |= {method["features"] for method in SEGMENTATION_METHODS.values()}
    return [
        f"{RESULTS}/encoders/{features}.json"
        for features in sorted(used)
        if features in COMPUTED
    ]


@signed
def all_code(wildcards, output):
    """Return the digest of what all rules run; naming `output` keeps it out of what reruns, see `onstart`."""
    scripts = sorted(name for name in os.listdir(SCRIPTS) if name.endswith(".py"))
    return value_digest({name: script_digest(name) for name in scripts})

"""Slides to a map of necrosis, by models that never saw the patient; retrained with hard examples and compared.

Needs   {results}/tiles/{features}/{slide}.h5 and features; slides' masks, by their digests
Makes   {results}/labels/{features}/{slide}.h5, what masks say of cells and patches
        {results}/segmentation/{method}/folds.tsv, who is left out together
        {results}/segmentation/{method}/{variant}/{part}/model.h5, SVMs of patches, with the inner models of the part
        {results}/segmentation/{method}/{variant}/maps/{slide}.h5, of a training slide by every model that maps it
        {results}/segmentation/{method}/confidences/{slide}.h5, of a test slide whose features are not stored
        {results}/segmentation/{method}/{variant}/{part}/choice.json, C, threshold and post-processing
        {results}/segmentation/{method}/{variant}/confidence/{slide}.tif, mask, overlay, score; geojson for QuPath
        {results}/segmentation/{method}/hard_examples.tsv; hard/{part}/hard_examples.tsv, from a part's inner maps
        {results}/segmentation/{method}/scores.tsv and scores.json; comparison.json, plain against hard
"""

from slidecaf.segmentation.parts import leave_out

SEGMENTATION_TASK = STUDY.get("segmentation")
SEGMENTATION_METHODS = SEGMENTATION_TASK["methods"] if SEGMENTATION_TASK else {}
SEGMENTED = {row.slide: row for row in CHECKED.segmentation}
LEARNED = sorted(slide for slide, row in SEGMENTED.items() if row.split == "train")
TESTED = sorted(slide for slide, row in SEGMENTED.items() if row.split == "test")
MASKED = [slide for slide, row in SEGMENTED.items() if row.mask]


def group_of_slides():
    """Return training slide to the group of patients with which it is left out: no label is looked at."""
    if not SEGMENTED:
        return {}
    rows = [SEGMENTED[slide] for slide in LEARNED]
    fixed = [row.fold for row in rows] if rows[0].fold is not None else None
    patients = [row.patient for row in rows]
    folds, seed = SEGMENTATION_TASK["folds"], STUDY["seed"]
    return leave_out(LEARNED, patients, folds, seed=seed, fixed=fixed)


GROUP = group_of_slides()
LEFT_OUT = [f"fold-{group}" for group in sorted(set(GROUP.values()))]
LEFT_OUT_PARTS = [*LEFT_OUT, "final"] if SEGMENTED else []

if workflow.is_main_process:
    FINGERPRINTS.read(
        [mask for row in SEGMENTED.values() for mask in (row.mask, row.hemorrhage) if mask and os.path.exists(mask)],
        whole=True,
    )


def setting(*keys):
    """Return a function: some settings of a method."""
    return lambda wildcards: {key: SEGMENTATION_METHODS[wildcards.method][key] for key in keys}


def hard_settings(wildcards):
    """Return the settings of the hard examples; they concern the hard variant only."""
    if dict(wildcards).get("variant") == "plain":
        return None
    return SEGMENTATION_METHODS[wildcards.method]["hard_examples"]


def variants(method):
    """Return the variants of a method."""
    return ["plain", "hard"] if SEGMENTATION_METHODS[method]["hard_examples"] else ["plain"]


def fused(method):
    """Tell whether a method judges the patches of test rows as the network gives them."""
    features = SEGMENTATION_METHODS[method]["features"]
    return STUDY["features"][features].get("store") == "train"


def of_batch(kind):
    """Return an input function: the batch's manifest of a method's feature set."""
    return lambda wildcards: LAYOUT.batch(kind).format(
        features=SEGMENTATION_METHODS[wildcards.method]["features"], batch=wildcards.batch
    )


def labels_of_batch(wildcards):
    """Return the batch's labels, where one of its slides has a mask."""
    return [of_batch(LAYOUT.labels)(wildcards)] if batch(MASKED)(wildcards) else []


def of_learned(kind):
    """Return an input function: the manifests of all training slides, of a method's feature set."""
    return lambda wildcards: manifests(kind, LEARNED, features=SEGMENTATION_METHODS[wildcards.method]["features"])


def maps_of(variant=None):
    """Return an input function: the maps of all training slides."""
    return lambda wildcards: manifests(
        LAYOUT.maps,
        LEARNED,
        method=wildcards.method,
        variant=variant or wildcards.variant,
    )


def hard_lists(wildcards):
    """Return the hard examples of every part, for the hard variant."""
    if wildcards.variant == "plain":
        return []
    lists = expand(LAYOUT.hard_examples_of_part, part=LEFT_OUT, **wildcards)
    return [*lists, LAYOUT.hard_examples.format(**wildcards)]


def part_of(slide):
    """Return the part that maps a slide: the one that leaves it out, or the final one for a test slide."""
    return f"fold-{GROUP[slide]}" if slide in GROUP else "final"


def mapped_parts(slides):
    """Return a function: the parts that map the slides of a batch."""
    return lambda wildcards: sorted({part_of(slide) for slide in batch(slides)(wildcards)})


def choices_of_batch(wildcards):
    """Return what was chosen for the parts that map the slides of a batch."""
    parts = mapped_parts(SEGMENTED)(wildcards)
    return expand(LAYOUT.map_choice, part=parts, **wildcards)


def mapped_from(kind):
    """Return an input function: what a batch's slides are mapped from, or nothing where they are mapped otherwise.

    Training slides have maps of the models that left them out; test slides confidences, or features and the final
    model.
    """

    def files(wildcards):
        if batch(LEARNED)(wildcards) and kind == "maps":
            return [LAYOUT.batch(LAYOUT.maps).format(**wildcards)]
        if not batch(TESTED)(wildcards):
            return []
        of_tested = {"confidences": [LAYOUT.batch(LAYOUT.confidences).format(**wildcards)]}
        if not fused(wildcards.method):
            of_tested = {
                "features": [of_batch(LAYOUT.features)(wildcards)],
                "model": [LAYOUT.patch_models.format(part="final", **wildcards)],
            }
        return of_tested.get(kind, [])

    return files


def masks(wildcards):
    """Return slide to its masks and where the sheet lists them, for errors."""
    rows = {slide: SEGMENTED[slide] for slide in batch(SEGMENTED)(wildcards)}
    return {slide: {"row": row.number, "mask": row.mask, "hemorrhage": row.hemorrhage} for slide, row in rows.items()}


def mask_files(wildcards):
    """Return the files of these masks, each under a name of its own."""
    return {
        (slide, kind): found[kind]
        for slide, found in masks(wildcards).items()
        for kind in ("mask", "hemorrhage")
        if found[kind]
    }


def slides_and_masks(wildcards):
    """Return the files of a batch's slides and of their masks."""
    return {**paths(SEGMENTED)(wildcards), **mask_files(wildcards)}


def mask_digests(slide):
    """Return the digests of a slide's masks."""
    row = SEGMENTED[slide]
    return {
        kind: file_digest(path, whole=True)
        for kind, path in (("mask", row.mask), ("hemorrhage", row.hemorrhage))
        if path
    }


def segmentation_rows(wildcards):
    """Return the sheet's rows."""
    return [
        {key: getattr(SEGMENTED[slide], key) for key in ("slide", "patient", "split")} for slide in LEARNED + TESTED
    ]


def segmentation_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = [SEGMENTATION_METHODS[wildcards.method]["features"]]
    return caveats_of(STUDY["features"], used, SEGMENTED.values(), MADE)


def segments_of(variant):
    """Return an input function: the manifests of a method's maps and masks, where it has the variant."""
    return lambda wildcards: (
        manifests(LAYOUT.segments, SEGMENTED, method=wildcards.method, variant=variant)
        if variant in variants(wildcards.method)
        else []
    )


def segmented(wildcards):
    """Return every file of the segmentation."""
    files = []
    for method, chosen in SEGMENTATION_METHODS.items():
        features = chosen["features"]
        kept = LEARNED if fused(method) else SEGMENTED
        for kind, slides in (("tiles", SEGMENTED), ("features", kept), ("labels", MASKED)):
            files += manifests(getattr(LAYOUT, kind), slides, features=features)
        if fused(method):
            files += manifests(LAYOUT.confidences, TESTED, method=method)
        for variant in variants(method):
            here = {"method": method, "variant": variant}
            files += expand((LAYOUT.patch_models, LAYOUT.map_choice), part=LEFT_OUT_PARTS, **here)
            files += manifests(LAYOUT.maps, LEARNED, **here)
            files += manifests(LAYOUT.segments, SEGMENTED, **here)
            files += manifests(LAYOUT.outlines, SEGMENTED, **here)
        scores = (LAYOUT.groups, LAYOUT.slide_scores, LAYOUT.segmentation_scores)
        files += expand(scores, method=method)
        if chosen["hard_examples"]:
            files += expand(LAYOUT.hard_examples_of_part, part=LEFT_OUT, method=method)
            found = (LAYOUT.hard_examples, LAYOUT.hard_examples_summary, LAYOUT.variants)
            files += expand(found, method=method)
    return files


rule labels:
    input:
        tiles=LAYOUT.batch(LAYOUT.tiles),
        drawn=ancient(drawn(mask_files)),
    output:
        LAYOUT.batch(LAYOUT.labels),
    log:
        LAYOUT.log("labels", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("labels", "{features}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=BYTES_A_PATCH, a_pixel=2),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            LAYOUT.labels,
            MASKED,
            ["segmentation", "slides", "tiles"],
            ["pillow", "tifffile", "imagecodecs", "h5py"],
            own=mask_digests,
            mask_value=SEGMENTATION_TASK and SEGMENTATION_TASK["mask_value"],
        ),
        untracked=untracked(masks=masks, limits=LIMITS),
    script:
        "../scripts/labels.py"


rule left_out:
    output:
        LAYOUT.groups,
    log:
        LAYOUT.log("left_out", "{method}"),
    benchmark:
        LAYOUT.benchmark("left_out", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        tracked=tracked(
            [],
            [],
            rows=[
                {"slide": slide, "patient": SEGMENTED[slide].patient, "fold": group} for slide, group in GROUP.items()
            ],
        ),
    script:
        "../scripts/left_out.py"


rule patch_svm:
    input:
        groups=LAYOUT.groups,
        features=of_learned(LAYOUT.features),
        labels=of_learned(LAYOUT.labels),
        hard=hard_lists,
    output:
        expand(LAYOUT.patch_models, part=LEFT_OUT_PARTS, allow_missing=True),
    log:
        LAYOUT.log("patch_svm", "{method}/{variant}"),
    benchmark:
        LAYOUT.benchmark("patch_svm", "{method}/{variant}")
    conda:
        ENVIRONMENT
    threads: STUDY["threads"]
    resources:
        mem_mb=memory(2000 + 1024 * STUDY["memory"]),
        runtime=minutes(240),
    params:
        tracked=tracked(
            ["features", "segmentation", "segmentation.solver", "tiles"],
            ["numpy", "scipy", "h5py"],
            settings=setting("training_stride", "inner_folds", "C", "max_iter"),
            hard=hard_settings,
            seed=STUDY["seed"],
            on_bad_slide=STUDY["on_bad_slide"],
        ),
        untracked=untracked(parts=LEFT_OUT_PARTS, slides=LEARNED, memory=STUDY["memory"]),
    script:
        "../scripts/patch_svm.py"


rule maps:
    input:
        groups=LAYOUT.groups,
        features=of_batch(LAYOUT.features),
        models=expand(LAYOUT.patch_models, part=LEFT_OUT, allow_missing=True),
    output:
        LAYOUT.batch(LAYOUT.maps),
    log:
        LAYOUT.log("maps", "{method}/{variant}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("maps", "{method}/{variant}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=4 * BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            LAYOUT.maps,
            LEARNED,
            ["features", "segmentation", "segmentation.solver", "tiles"],
            ["h5py", "numpy"],
            inner_folds=lambda wildcards: SEGMENTATION_METHODS[wildcards.method]["inner_folds"],
            seed=STUDY["seed"],
        ),
        untracked=untracked(parts=LEFT_OUT),
    script:
        "../scripts/maps.py"


rule predict:
    input:
        tiles=of_batch(LAYOUT.tiles),
        encoder=lambda wildcards: LAYOUT.encoder.format(features=SEGMENTATION_METHODS[wildcards.method]["features"]),
        models=lambda wildcards: expand(
            LAYOUT.patch_models,
            variant=variants(wildcards.method),
            part="final",
            method=wildcards.method,
        ),
        drawn=ancient(drawn(paths(TESTED))),
    output:
        LAYOUT.batch(LAYOUT.confidences),
    log:
        LAYOUT.log("predict", "{method}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("predict", "{method}/batch-{batch}")
    conda:
        ENVIRONMENT
    threads: STUDY["threads"]
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000, a_patch=4 * BYTES_A_PATCH),
        runtime=extraction_minutes(30),
    params:
        tracked=tracked_batch(
            LAYOUT.confidences,
            TESTED,
            ["features", "segmentation", "segmentation.solver", "slides", "tiles"],
            READ,
            own=slide_digest,
            features=lambda wildcards: feature_settings(SEGMENTATION_METHODS[wildcards.method]["features"]),
        ),
        untracked=untracked(
            variants=lambda wildcards: variants(wildcards.method),
            paths=paths(TESTED),
            limits=LIMITS,
            on_bad_slide=STUDY["on_bad_slide"],
            max_unreadable=STUDY["max_unreadable"],
            threads=STUDY["threads"],
        ),
    script:
        "../scripts/predict.py"


rule map_choice:
    input:
        groups=LAYOUT.groups,
        maps=maps_of(),
        labels=of_learned(LAYOUT.labels),
    output:
        LAYOUT.map_choice,
    log:
        LAYOUT.log("map_choice", "{method}/{variant}/{part}"),
    benchmark:
        LAYOUT.benchmark("map_choice", "{method}/{variant}/{part}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=50),
        runtime=minutes(120, a_slide=1),
    params:
        tracked=tracked(
            ["scores", "segmentation", "segmentation.solver"],
            ["scipy", "h5py"],
            grid=setting("C", "smooth", "min_object", "max_hole"),
        ),
    script:
        "../scripts/map_choice.py"


rule segment:
    input:
        maps=mapped_from("maps"),
        confidences=mapped_from("confidences"),
        features=mapped_from("features"),
        model=mapped_from("model"),
        tiles=of_batch(LAYOUT.tiles),
        choices=choices_of_batch,
        labels=labels_of_batch,
        drawn=ancient(drawn(slides_and_masks)),
    output:
        LAYOUT.batch(LAYOUT.segments),
    log:
        LAYOUT.log("segment", "{method}/{variant}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("segment", "{method}/{variant}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=slide_memory(1500),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            LAYOUT.segments,
            SEGMENTED,
            ["features", "scores", "segmentation", "segmentation.solver", "slides", "tiles"],
            ["scipy", "h5py", "tifffile", "imagecodecs", "pillow", "openslide-bin"],
            own=lambda slide: {
                **slide_digest(slide),
                "part": part_of(slide),
                "masks": mask_digests(slide),
            },
            mask_value=SEGMENTATION_TASK and SEGMENTATION_TASK["mask_value"],
            caveats=segmentation_caveats,
        ),
        untracked=untracked(parts=mapped_parts(SEGMENTED), paths=paths(SEGMENTED), masks=masks),
    script:
        "../scripts/segment.py"


rule outlines:
    input:
        segments=LAYOUT.batch(LAYOUT.segments),
        tiles=of_batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.outlines),
    log:
        LAYOUT.log("outlines", "{method}/{variant}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("outlines", "{method}/{variant}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            LAYOUT.outlines,
            SEGMENTED,
            ["segmentation", "slides", "tiles"],
            ["shapely", "scipy", "tifffile", "imagecodecs", "h5py"],
            tolerance=SEGMENTATION_TASK and SEGMENTATION_TASK["outline_tolerance"],
            caveats=segmentation_caveats,
        ),
    script:
        "../scripts/outlines.py"


rule hard_examples:
    input:
        groups=LAYOUT.groups,
        tiles=of_learned(LAYOUT.tiles),
        labels=of_learned(LAYOUT.labels),
        maps=maps_of("plain"),
    output:
        parts=expand(LAYOUT.hard_examples_of_part, part=LEFT_OUT, allow_missing=True),
        final=LAYOUT.hard_examples,
        summary=LAYOUT.hard_examples_summary,
    log:
        LAYOUT.log("hard_examples", "{method}"),
    benchmark:
        LAYOUT.benchmark("hard_examples", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=50),
        runtime=minutes(120, a_slide=1),
    params:
        tracked=tracked(
            ["features", "scores", "segmentation", "segmentation.solver", "tiles"],
            ["h5py"],
            settings=setting("C", "training_stride"),
            hard=hard_settings,
            seed=STUDY["seed"],
        ),
        untracked=untracked(parts=LEFT_OUT),
    script:
        "../scripts/hard_examples.py"


rule segmentation_scores:
    input:
        plain=segments_of("plain"),
        hard=segments_of("hard"),
    output:
        slides=LAYOUT.slide_scores,
        scores=report(
            LAYOUT.segmentation_scores,
            caption="../report/segmentation.rst",
            category="Segmentation",
            labels={"method": "{method}"},
        ),
    log:
        LAYOUT.log("segmentation_scores", "{method}"),
    benchmark:
        LAYOUT.benchmark("segmentation_scores", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        tracked=tracked(
            ["scores"],
            ["scipy"],
            rows=segmentation_rows,
            group_name=SEGMENTATION_TASK and SEGMENTATION_TASK["group_name"],
            caveats=segmentation_caveats,
            seed=STUDY["seed"],
        ),
        untracked=untracked(variants=lambda wildcards: variants(wildcards.method)),
    script:
        "../scripts/segmentation_scores.py"


rule variants:
    input:
        slides=LAYOUT.slide_scores,
        hard=LAYOUT.hard_examples_summary,
    output:
        LAYOUT.variants,
    log:
        LAYOUT.log("variants", "{method}"),
    benchmark:
        LAYOUT.benchmark("variants", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        tracked=tracked(["scores"], ["scipy"], seed=STUDY["seed"]),
    script:
        "../scripts/variants.py"

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

if workflow.is_main_process:
    masks_there = [path for row in SEGMENTATION.rows.values() for path in (row.mask, row.hemorrhage)]
    FINGERPRINTS.read(filter(os.path.exists, masks_there), whole=True)


def segmentation_setting(key):
    """Return a setting of the task, or nothing where the study has no segmentation."""
    return SEGMENTATION.task and SEGMENTATION.task[key]


def setting(*keys):
    """Return a function: some settings of a method."""
    return lambda wildcards: {key: SEGMENTATION.methods[wildcards.method][key] for key in keys}


def hard_settings(wildcards):
    """Return the settings of the hard examples; they concern the hard variant only."""
    plain = dict(wildcards).get("variant") == "plain"
    return None if plain else SEGMENTATION.methods[wildcards.method]["hard_examples"]


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
    return lambda wildcards: RESULTS.manifests(
        kind, SEGMENTATION.train, features=SEGMENTATION.features(wildcards.method)
    )


def maps_of(variant):
    """Return an input function: a variant's maps of all training slides."""
    return lambda wildcards: RESULTS.manifests(
        LAYOUT.maps, SEGMENTATION.train, method=wildcards.method, variant=variant.format(**wildcards)
    )


def hard_lists(wildcards):
    """Return the hard examples of every part, for the hard variant."""
    lists = expand(LAYOUT.hard_examples_of_part, part=SEGMENTATION.left_out, **wildcards)
    return [] if wildcards.variant == "plain" else [*lists, LAYOUT.hard_examples.format(**wildcards)]


def mapped_parts(wildcards):
    """Return the parts that map the slides of a batch."""
    return sorted({SEGMENTATION.part_of(slide) for slide in batch(SEGMENTATION.rows)(wildcards)})


def where(slides, pattern):
    """Return an input function: a file, where some of these slides are in the batch; otherwise nothing."""

    def files(wildcards):
        path = pattern(wildcards) if callable(pattern) else pattern.format(**wildcards)
        return [path] if batch(slides)(wildcards) else []

    return files


def judged_on_the_way(wildcards):
    """Return the test slides that have confidences and no features file."""
    return SEGMENTATION.test if SEGMENTATION.is_fused(wildcards.method) else []


def judged_from_features(wildcards):
    """Return the test slides that are mapped from a features file, by the model of all training rows."""
    return [] if SEGMENTATION.is_fused(wildcards.method) else SEGMENTATION.test


def masks(wildcards):
    """Return slide to its masks and where the sheet lists them, for errors."""
    rows = {slide: SEGMENTATION.rows[slide] for slide in batch(SEGMENTATION.rows)(wildcards)}
    kept = ("number", "mask", "hemorrhage")
    return {slide: {key: getattr(row, key) for key in kept} for slide, row in rows.items()}


def slides_and_masks(wildcards):
    """Return the files of a batch's slides and of their masks, each under a name of its own."""
    found = paths(SEGMENTATION.rows)(wildcards)
    of_masks = masks(wildcards).items()
    return found | {(slide, kind): own[kind] for slide, own in of_masks for kind in ("mask", "hemorrhage")}


def mask_digests(slide):
    """Return the digests of a slide's masks."""
    row = SEGMENTATION.rows[slide]
    listed = {"mask": row.mask, "hemorrhage": row.hemorrhage}
    return {kind: file_digest(path, whole=True) for kind, path in listed.items() if path}


def segmentation_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = [SEGMENTATION.features(wildcards.method)]
    return caveats_of(FEATURES, used, SEGMENTATION.rows.values(), MADE)


def segments_of(variant):
    """Return an input function: the manifests of a method's maps and masks, where it has the variant."""
    return lambda wildcards: RESULTS.manifests(
        LAYOUT.segments,
        SEGMENTATION.rows if variant in variants(wildcards) else [],
        method=wildcards.method,
        variant=variant,
    )


rule labels:
    input:
        tiles=LAYOUT.batch(LAYOUT.tiles),
        drawn=ancient(drawn(slides_and_masks)),
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
            SEGMENTATION.masked,
            ["segmentation", "slides", "tiles"],
            ["pillow", "tifffile", "imagecodecs", "h5py"],
            own=mask_digests,
            mask_value=segmentation_setting("mask_value"),
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
                {"slide": slide, "patient": SEGMENTATION.rows[slide].patient, "fold": group}
                for slide, group in SEGMENTATION.groups.items()
            ],
        ),
    script:
        "../scripts/left_out.py"


rule patch_svm:
    input:
        groups=LAYOUT.groups,
        features=of_training(LAYOUT.features),
        labels=of_training(LAYOUT.labels),
        hard=hard_lists,
    output:
        expand(LAYOUT.patch_models, part=SEGMENTATION.parts, allow_missing=True),
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
        untracked=untracked(parts=SEGMENTATION.parts, slides=SEGMENTATION.train, memory=STUDY["memory"]),
    script:
        "../scripts/patch_svm.py"


rule maps:
    input:
        groups=LAYOUT.groups,
        features=of_batch(LAYOUT.features),
        models=expand(LAYOUT.patch_models, part=SEGMENTATION.left_out, allow_missing=True),
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
            SEGMENTATION.train,
            ["features", "segmentation", "segmentation.solver", "tiles"],
            ["h5py", "numpy"],
            inner_folds=lambda wildcards: SEGMENTATION.methods[wildcards.method]["inner_folds"],
            seed=STUDY["seed"],
        ),
        untracked=untracked(parts=SEGMENTATION.left_out),
    script:
        "../scripts/maps.py"


rule predict:
    input:
        tiles=of_batch(LAYOUT.tiles),
        encoder=lambda wildcards: LAYOUT.encoder.format(features=SEGMENTATION.features(wildcards.method)),
        models=lambda wildcards: expand(
            LAYOUT.patch_models,
            variant=variants(wildcards),
            part="final",
            method=wildcards.method,
        ),
        drawn=ancient(drawn(paths(SEGMENTATION.test))),
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
            SEGMENTATION.test,
            ["features", "segmentation", "segmentation.solver", "slides", "tiles"],
            READ,
            own=slide_digest,
            features=lambda wildcards: feature_settings(SEGMENTATION.features(wildcards.method)),
        ),
        untracked=untracked(
            variants=variants,
            paths=paths(SEGMENTATION.test),
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
        maps=maps_of("{variant}"),
        labels=of_training(LAYOUT.labels),
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
        maps=where(SEGMENTATION.train, LAYOUT.batch(LAYOUT.maps)),
        confidences=where(judged_on_the_way, LAYOUT.batch(LAYOUT.confidences)),
        features=where(judged_from_features, of_batch(LAYOUT.features)),
        model=where(judged_from_features, LAYOUT.patch_models.replace("{part}", "final")),
        tiles=of_batch(LAYOUT.tiles),
        choices=lambda wildcards: expand(LAYOUT.map_choice, part=mapped_parts(wildcards), **wildcards),
        labels=where(SEGMENTATION.masked, of_batch(LAYOUT.labels)),
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
            SEGMENTATION.rows,
            ["features", "scores", "segmentation", "segmentation.solver", "slides", "tiles"],
            ["scipy", "h5py", "tifffile", "imagecodecs", "pillow", "openslide-bin"],
            own=lambda slide: {
                **slide_digest(slide),
                "part": SEGMENTATION.part_of(slide),
                "masks": mask_digests(slide),
            },
            mask_value=segmentation_setting("mask_value"),
            caveats=segmentation_caveats,
        ),
        untracked=untracked(parts=mapped_parts, paths=paths(SEGMENTATION.rows), masks=masks),
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
            SEGMENTATION.rows,
            ["segmentation", "slides", "tiles"],
            ["shapely", "scipy", "tifffile", "imagecodecs", "h5py"],
            tolerance=segmentation_setting("outline_tolerance"),
            caveats=segmentation_caveats,
        ),
    script:
        "../scripts/outlines.py"


rule hard_examples:
    input:
        groups=LAYOUT.groups,
        tiles=of_training(LAYOUT.tiles),
        labels=of_training(LAYOUT.labels),
        maps=maps_of("plain"),
    output:
        parts=expand(LAYOUT.hard_examples_of_part, part=SEGMENTATION.left_out, allow_missing=True),
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
        untracked=untracked(parts=SEGMENTATION.left_out),
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
            rows=[
                {"slide": slide, "patient": row.patient, "split": row.split}
                for slide, row in SEGMENTATION.rows.items()
            ],
            group_name=segmentation_setting("group_name"),
            caveats=segmentation_caveats,
            seed=STUDY["seed"],
        ),
        untracked=untracked(variants=variants),
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

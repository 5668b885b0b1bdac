"""Slides to a map of necrosis, by models that never saw the patient; retrained with hard examples and compared.

Needs   {results}/tiles/{features}/{slide}.h5 and features; slides' masks, by their digests
Makes   {results}/labels/{features}/{slide}.h5, what masks say of cells and patches
        {results}/segmentation/{method}/{variant}/{part}/model.h5, SVMs of patches, with the inner models of the part
        {results}/segmentation/{method}/{variant}/maps/{slide}.h5, of a training slide by every model that maps it
        {results}/segmentation/{method}/confidences/{slide}.h5, of a test slide whose features are not stored
        {results}/segmentation/{method}/{variant}/{part}/choice.json, C, threshold and post-processing
        {results}/segmentation/{method}/{variant}/confidence/{slide}.tif, mask, overlay, score; geojson for QuPath
        {results}/segmentation/{method}/hard_examples.tsv; hard/{part}/hard_examples.tsv, from a part's inner maps
        {results}/segmentation/{method}/folds.tsv, scores.tsv and scores.json; comparison.json, plain against hard
"""


rule labels:
    input:
        tiles=LAYOUT.batch(LAYOUT.tiles),
        drawn=ancient(drawn(SEGMENTED.paths)),
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
            "labels",
            LAYOUT.labels,
            SEGMENTATION.masked,
            own=SEGMENTED.mask_digests,
            **SEGMENTATION.mask_settings,
        ),
        untracked=untracked(masks=SEGMENTED.masks, limits=LIMITS),
    script:
        "../scripts/labels.py"


rule left_out:
    output:
        LAYOUT.groups,
    log:
        LAYOUT.log("left_out", "{method}"),
    wildcard_constraints:
        method=one_of(SEGMENTATION.learning),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked(
            "left_out",
            rows=SEGMENTATION.table(SEGMENTATION.train, "slide", "patient"),
            groups=SEGMENTATION.groups,
        ),
    script:
        "../scripts/left_out.py"


rule patch_svm:
    input:
        groups=LAYOUT.groups,
        features=SEGMENTED.of_training(LAYOUT.features),
        labels=SEGMENTED.of_training(LAYOUT.labels),
        hard=SEGMENTED.hard_lists,
    output:
        expand(LAYOUT.patch_models, part=SEGMENTATION.parts, allow_missing=True),
    log:
        LAYOUT.log("patch_svm", "{method}/{variant}"),
    benchmark:
        LAYOUT.benchmark("patch_svm", "{method}/{variant}")
    wildcard_constraints:
        method=one_of(SEGMENTATION.learning),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **FITTING,
        mem_mb=memory(2000 + 1024 * STUDY.memory),
        runtime=minutes(240),
    params:
        tracked=tracked(
            "patch_svm",
            libraries=SEGMENTED.libraries,
            settings=SEGMENTED.settings("training_stride", "inner_folds", "C", "context", "max_iter", "solver"),
            hard=SEGMENTED.hard_settings,
            seed=STUDY.seed,
            on_bad_slide=STUDY.on_bad_slide,
        ),
        untracked=untracked(parts=SEGMENTATION.parts, memory=STUDY.memory, **SEGMENTATION.learned_from),
    script:
        "../scripts/patch_svm.py"


rule maps:
    input:
        groups=LAYOUT.groups,
        features=SEGMENTED.of_batch(LAYOUT.features),
        models=expand(LAYOUT.patch_models, part=SEGMENTATION.left_out, allow_missing=True),
    output:
        LAYOUT.batch(LAYOUT.maps),
    log:
        LAYOUT.log("maps", "{method}/{variant}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("maps", "{method}/{variant}/batch-{batch}")
    wildcard_constraints:
        method=one_of(SEGMENTATION.of_kind("svm")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=4 * BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "maps",
            LAYOUT.maps,
            SEGMENTATION.train,
            inner_folds=SEGMENTED.inner_folds,
            seed=STUDY.seed,
        ),
        untracked=untracked(parts=SEGMENTATION.left_out),
    script:
        "../scripts/maps.py"


rule predict:
    input:
        tiles=SEGMENTED.of_batch(LAYOUT.tiles),
        encoder=SEGMENTED.encoder,
        models=SEGMENTED.final_models,
        drawn=ancient(drawn(SETS.with_target(paths(SEGMENTATION.test)))),
    output:
        LAYOUT.batch(LAYOUT.confidences),
    log:
        LAYOUT.log("predict", "{method}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("predict", "{method}/batch-{batch}")
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000, a_patch=4 * BYTES_A_PATCH),
        runtime=minutes(30, rate=extraction_rate),
    params:
        tracked=tracked_batch(
            "predict",
            LAYOUT.confidences,
            SEGMENTATION.test,
            own=DIGESTS.slide,
            libraries=SETS.libraries,
            features=SETS.settings,
            stain=SETS.stain,
        ),
        untracked=reading(
            SEGMENTATION.test,
            variants=SEGMENTED.variants,
            max_unreadable=STUDY.max_unreadable,
            threads=STUDY.threads,
            target=SETS.stain_target,
        ),
    script:
        "../scripts/predict.py"


rule map_choice:
    input:
        groups=LAYOUT.groups,
        maps=SEGMENTED.maps_of("{variant}"),
        labels=SEGMENTED.of_training("labels"),
    output:
        LAYOUT.map_choice,
    log:
        LAYOUT.log("map_choice", "{method}/{variant}/{part}"),
    benchmark:
        LAYOUT.benchmark("map_choice", "{method}/{variant}/{part}")
    wildcard_constraints:
        method=one_of(SEGMENTATION.learning),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=50),
        runtime=minutes(120, a_slide=1),
    params:
        tracked=tracked("map_choice", grid=SEGMENTED.grid),
    script:
        "../scripts/map_choice.py"


rule segment:
    input:
        maps=SLIDES.where(SEGMENTED.mapped, LAYOUT.batch(LAYOUT.maps)),
        confidences=SLIDES.where(SEGMENTED.judged_on_the_way, LAYOUT.batch(LAYOUT.confidences)),
        features=SLIDES.where(SEGMENTED.judged_from_features, SEGMENTED.of_batch(LAYOUT.features)),
        model=SLIDES.where(SEGMENTED.judged_from_features, LAYOUT.patch_models.replace("{part}", "final")),
        tiles=SEGMENTED.of_batch("cells"),
        choices=SEGMENTED.of_mapped_parts(LAYOUT.map_choice),
        labels=SLIDES.where(SEGMENTATION.masked, SEGMENTED.of_batch("labels")),
        drawn=ancient(drawn(SEGMENTED.paths)),
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
            "segment",
            LAYOUT.segments,
            SEGMENTATION.rows,
            own=SEGMENTED.segmented_from,
            **SEGMENTATION.mask_settings,
            caveats=SEGMENTED.caveats,
        ),
        untracked=untracked(parts=SEGMENTED.mapped_parts, paths=paths(SEGMENTATION.rows), masks=SEGMENTED.masks),
    script:
        "../scripts/segment.py"


rule outlines:
    input:
        segments=LAYOUT.batch(LAYOUT.segments),
        tiles=SEGMENTED.of_batch("cells"),
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
            "outlines",
            LAYOUT.outlines,
            SEGMENTATION.rows,
            tolerance=SEGMENTATION.setting("outline_tolerance"),
            caveats=SEGMENTED.caveats,
        ),
    script:
        "../scripts/outlines.py"


rule hard_examples:
    input:
        groups=LAYOUT.groups,
        tiles=SEGMENTED.of_training(LAYOUT.tiles),
        labels=SEGMENTED.of_training(LAYOUT.labels),
        maps=SEGMENTED.maps_of("plain"),
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
            "hard_examples",
            settings=SEGMENTED.settings("C", "context", "training_stride"),
            hard=SEGMENTED.hard_settings,
            seed=STUDY.seed,
        ),
        untracked=untracked(parts=SEGMENTATION.left_out),
    script:
        "../scripts/hard_examples.py"


rule segmentation_scores:
    input:
        plain=SEGMENTED.segments_of("plain"),
        hard=SEGMENTED.segments_of("hard"),
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
    conda:
        ENVIRONMENT
    params:
        tracked=tracked(
            "segmentation_scores",
            rows=SEGMENTATION.table(SEGMENTATION.rows, "slide", "patient", "split"),
            group_name=SEGMENTATION.setting("group_name"),
            caveats=SEGMENTED.caveats,
            seed=STUDY.seed,
        ),
        untracked=untracked(variants=SEGMENTED.variants),
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
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("variants", seed=STUDY.seed),
    script:
        "../scripts/variants.py"

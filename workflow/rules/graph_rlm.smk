"""Methods of kind graph-rlm: regions of like texture without labels, and which of them are necrosis.

Needs   slides and their masks, by their digests
Makes   {results}/segmentation/{method}/regions/{slide}.h5, circles and regions; labels/{slide}.h5, what masks say of them
        {results}/segmentation/{method}/plain/{part}/clusters.json, which regions are necrosis, with the part's inner models
        {results}/segmentation/{method}/plain/maps/{slide}.h5, of a slide by every model that maps it

What lies behind the maps is that of every kind: segmentation.smk.
"""


rule regions:
    input:
        drawn=ancient(drawn(paths(SEGMENTATION.rows))),
    output:
        LAYOUT.batch(LAYOUT.regions),
    log:
        LAYOUT.log("regions", "{method}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("regions", "{method}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_pixel=40),
        runtime=minutes(30, rate=MAPPED / 4),
    params:
        tracked=tracked_batch(
            "regions",
            LAYOUT.regions,
            SEGMENTATION.rows,
            own=DIGESTS.slide,
            graph=SEGMENTED.settings("r_min", "r_strel", "win_size", "dist_thr", "comp_thr"),
        ),
        untracked=reading(SEGMENTATION.rows),
    script:
        "../scripts/regions.py"


use rule labels as region_labels with:
    input:
        tiles=LAYOUT.batch(LAYOUT.regions),
        drawn=ancient(drawn(SEGMENTED.paths)),
    output:
        LAYOUT.batch(LAYOUT.region_labels),
    log:
        LAYOUT.log("region_labels", "{method}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("region_labels", "{method}/batch-{batch}")
    params:
        tracked=tracked_batch(
            "labels",
            LAYOUT.region_labels,
            SEGMENTATION.masked,
            own=SEGMENTED.mask_digests,
            **SEGMENTATION.mask_settings,
        ),
        untracked=untracked(masks=SEGMENTED.masks, limits=LIMITS),


rule region_models:
    input:
        groups=LAYOUT.groups,
        regions=SEGMENTED.of_training("cells"),
        labels=SEGMENTED.of_training("labels"),
    output:
        expand(LAYOUT.region_models, part=SEGMENTATION.parts, allow_missing=True),
    log:
        LAYOUT.log("region_models", "{method}/{variant}"),
    benchmark:
        LAYOUT.benchmark("region_models", "{method}/{variant}")
    wildcard_constraints:
        method=one_of(SEGMENTATION.learning),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60, a_slide=0.5),
    params:
        tracked=tracked(
            "region_models",
            settings=SEGMENTED.settings("clusters", "inner_folds"),
            seed=STUDY.seed,
            on_bad_slide=STUDY.on_bad_slide,
        ),
        untracked=untracked(parts=SEGMENTATION.parts, **SEGMENTATION.learned_from),
    script:
        "../scripts/region_models.py"


rule region_maps:
    input:
        groups=LAYOUT.groups,
        regions=SEGMENTED.of_batch("cells"),
        models=SEGMENTED.of_mapping_parts(LAYOUT.region_models),
    output:
        LAYOUT.batch(LAYOUT.maps),
    log:
        LAYOUT.log("region_maps", "{method}/{variant}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("region_maps", "{method}/{variant}/batch-{batch}")
    wildcard_constraints:
        method=one_of(SEGMENTATION.of_kind("graph-rlm")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=4 * BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "region_maps",
            LAYOUT.maps,
            SEGMENTATION.rows,
            grid=SEGMENTED.settings("clusters", "comp_thr", "dist_thr"),
            inner_folds=SEGMENTED.inner_folds,
            seed=STUDY.seed,
        ),
        untracked=untracked(parts=SEGMENTED.mapping_parts),
    script:
        "../scripts/region_maps.py"

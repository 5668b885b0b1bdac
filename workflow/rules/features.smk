"""Features of each patch of each slide, or of whole slides.

A feature set whose network a method trains is computed once a part, by the part's network: as {features}@fold-{k}, and
as {features} by the final one.

Needs   {results}/tiles/{features}/{slide}.h5, slides, the network's weights, or another program's files
        {results}/classification/{method}/{part}/network.safetensors, of weights that are trained here
Makes   {results}/encoders/{features}.json, the network: its dimension, precision and the digest of its weights
        {results}/features/{features}/{slide}.h5, of a batch of slides
        {results}/features/{features}/shard-{shard}.h5, of whole slides, without tiles
        {results}/tiles/{features}/{slide}.h5 too, where another program computed the features
"""


rule encoder:
    input:
        features=SETS.first_manifest,
        network=SETS.network,
    output:
        LAYOUT.encoder,
    log:
        LAYOUT.log("encoder", "{features}"),
    benchmark:
        LAYOUT.benchmark("encoder", "{features}")
    wildcard_constraints:
        features=one_of(SETS.networks),
    conda:
        ENVIRONMENT
    resources:
        **LOOKING,
        mem_mb=memory(6000),
        runtime=minutes(30),
    params:
        tracked=tracked(
            "encoder",
            libraries=SETS.libraries,
            encoder=lambda wildcards: FEATURES[wildcards.features].encoder.given(),
            precision=lambda wildcards: FEATURES[wildcards.features].precision,
            weights=SETS.weights,
            dense=SETS.dense_tiling,
        ),
    script:
        "../scripts/encoder.py"


rule features:
    input:
        drawn=ancient(drawn(SETS.with_target(paths(SETS.kept)))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
        encoder=SETS.looked_at_first,
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(SETS.patchwise),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000),
        runtime=minutes(30, rate=extraction_rate),
    params:
        tracked=tracked_batch(
            "features",
            LAYOUT.features,
            SETS.kept,
            own=DIGESTS.slide,
            libraries=SETS.libraries,
            features=SETS.settings,
            weights=SETS.weights,
            stain=SETS.stain,
        ),
        untracked=reading(
            SETS.kept, max_unreadable=STUDY.max_unreadable, threads=STUDY.threads, target=SETS.stain_target
        ),
    script:
        "../scripts/features.py"


rule whole_features:
    input:
        drawn=ancient(drawn(SETS.with_target(paths(SETS.kept)))),
        encoder=SETS.looked_at_first,
        network=SETS.network,
    output:
        LAYOUT.batch(LAYOUT.shard),
    log:
        LAYOUT.log("whole_features", "{features}/shard-{shard}"),
    benchmark:
        LAYOUT.benchmark("whole_features", "{features}/shard-{shard}")
    wildcard_constraints:
        features=one_of(SETS.whole),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000),
        runtime=minutes(30, rate=extraction_rate),
    params:
        tracked=tracked_batch(
            "whole_features",
            LAYOUT.shard,
            SETS.kept,
            own=DIGESTS.slide,
            libraries=SETS.libraries,
            features=SETS.settings,
            weights=SETS.weights,
            stain=SETS.stain,
        ),
        untracked=reading(SETS.kept, threads=STUDY.threads, target=SETS.stain_target),
    script:
        "../scripts/whole_features.py"


rule manual_features:
    input:
        drawn=ancient(drawn(SETS.with_target(paths(SETS.kept)))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("manual_features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("manual_features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(SETS.manual),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        mem_mb=slide_memory(3000),
        runtime=minutes(30, rate=extraction_rate),
    params:
        tracked=tracked_batch(
            "manual_features",
            LAYOUT.features,
            SETS.kept,
            own=DIGESTS.slide,
            libraries=SETS.libraries,
            features=SETS.settings,
            stain=SETS.stain,
        ),
        untracked=reading(
            SETS.kept, max_unreadable=STUDY.max_unreadable, threads=STUDY.threads, target=SETS.stain_target
        ),
    script:
        "../scripts/manual_features.py"


rule imported_tiles:
    input:
        drawn=ancient(drawn(paths(SETS.slides))),
    output:
        LAYOUT.batch(LAYOUT.tiles),
    log:
        LAYOUT.log("imported_tiles", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_tiles", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(SETS.imported),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_tiles",
            LAYOUT.tiles,
            SETS.slides,
            own=IMPORTED.digests,
            imported=IMPORTED.described,
        ),
        untracked=reading(SETS.slides, sources=SLIDES.each(SETS.slides, IMPORTED.files), first=IMPORTED.first),
    script:
        "../scripts/imported_tiles.py"


rule imported_features:
    input:
        drawn=ancient(drawn(paths(SETS.slides))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("imported_features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(SETS.imported),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_features",
            LAYOUT.features,
            SETS.slides,
            own=IMPORTED.digests,
            imported=IMPORTED.described,
        ),
        untracked=reading(SETS.slides, sources=SLIDES.each(SETS.slides, IMPORTED.files), first=IMPORTED.first),
    script:
        "../scripts/imported_features.py"

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
        features=lambda wildcards: first_features(wildcards.features),
        network=trained_network,
    output:
        LAYOUT.encoder,
    log:
        LAYOUT.log("encoder", "{features}"),
    benchmark:
        LAYOUT.benchmark("encoder", "{features}")
    wildcard_constraints:
        features=one_of(NETWORKS),
    conda:
        ENVIRONMENT
    resources:
        **EXTRACTION,
        mem_mb=memory(6000),
        runtime=minutes(30),
    params:
        tracked=tracked(
            "encoder",
            libraries=network_library,
            encoder=lambda wildcards: FEATURES[wildcards.features].encoder.given(),
            precision=lambda wildcards: FEATURES[wildcards.features].precision,
            weights=weights_digest,
            dense=dense_tiling,
        ),
    script:
        "../scripts/encoder.py"


rule features:
    input:
        drawn=ancient(drawn(with_target(paths(kept_slides)))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
        encoder=looked_at_first,
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(name for name in NETWORKS if name not in WHOLE),
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
            kept_slides,
            own=slide_digest,
            libraries=network_library,
            features=lambda wildcards: feature_settings(wildcards.features),
            weights=weights_digest,
            stain=stain_digest,
        ),
        untracked=reading(kept_slides, max_unreadable=STUDY.max_unreadable, threads=STUDY.threads, target=stain_target),
    script:
        "../scripts/features.py"


rule whole_features:
    input:
        drawn=ancient(drawn(with_target(paths(shard)))),
        encoder=looked_at_first,
        network=trained_network,
    output:
        LAYOUT.batch(LAYOUT.shard),
    log:
        LAYOUT.log("whole_features", "{features}/shard-{shard}"),
    benchmark:
        LAYOUT.benchmark("whole_features", "{features}/shard-{shard}")
    wildcard_constraints:
        features=one_of(WHOLE),
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
            shard,
            own=slide_digest,
            libraries=network_library,
            features=lambda wildcards: feature_settings(wildcards.features),
            weights=weights_digest,
            stain=stain_digest,
        ),
        untracked=reading(shard, threads=STUDY.threads, target=stain_target),
    script:
        "../scripts/whole_features.py"


rule manual_features:
    input:
        drawn=ancient(drawn(paths(kept_slides))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("manual_features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("manual_features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(MANUAL),
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
            kept_slides,
            own=slide_digest,
            features=lambda wildcards: feature_settings(wildcards.features),
        ),
        untracked=reading(kept_slides, max_unreadable=STUDY.max_unreadable, threads=STUDY.threads),
    script:
        "../scripts/manual_features.py"


rule imported_tiles:
    input:
        drawn=ancient(drawn(paths(slides_of))),
    output:
        LAYOUT.batch(LAYOUT.tiles),
    log:
        LAYOUT.log("imported_tiles", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_tiles", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(IMPORTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_tiles",
            LAYOUT.tiles,
            slides_of,
            own=imported_from,
            imported=lambda wildcards: SETS[wildcards.features].described,
        ),
        untracked=reading(slides_of, sources=imported_files, first=lambda wildcards: SETS[wildcards.features].first),
    script:
        "../scripts/imported_tiles.py"


rule imported_features:
    input:
        drawn=ancient(drawn(paths(slides_of))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("imported_features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(IMPORTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_features",
            LAYOUT.features,
            slides_of,
            own=imported_from,
            imported=lambda wildcards: SETS[wildcards.features].described,
        ),
        untracked=reading(slides_of, sources=imported_files, first=lambda wildcards: SETS[wildcards.features].first),
    script:
        "../scripts/imported_features.py"

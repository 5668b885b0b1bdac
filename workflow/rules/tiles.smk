"""Where the patches of each slide are.

Needs   slides, by their digests
Makes   {results}/tiles/{features}/{slide}.h5, of a batch of slides
"""


rule tiles:
    input:
        drawn=ancient(drawn(paths(SETS.slides))),
    output:
        LAYOUT.batch(LAYOUT.tiles),
    log:
        LAYOUT.log("tiles", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("tiles", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(SETS.tiled),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        mem_mb=slide_memory(1500),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "tiles",
            LAYOUT.tiles,
            SETS.slides,
            own=SETS.tiled_from,
            tiling=lambda wildcards: FEATURES[wildcards.features].tiling.given(),
        ),
        untracked=reading(SETS.slides, regions=SETS.regions, threads=STUDY.threads),
    script:
        "../scripts/tiles.py"

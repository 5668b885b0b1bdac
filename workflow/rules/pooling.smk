"""One vector a slide.

Needs   {results}/features/{features}/{slide}.h5
Makes   {results}/pooled/{features}/{slide}.h5, a vector for each norm that a method asks for, of a batch of slides
"""


rule pooling:
    input:
        LAYOUT.batch(LAYOUT.features),
    output:
        LAYOUT.batch(LAYOUT.pooled),
    log:
        LAYOUT.log("pooling", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("pooling", "{features}/batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(15, rate=POOLED),
    params:
        tracked=tracked_batch("pooling", LAYOUT.pooled, CLASSIFICATION.rows, norms=CLASSIFIED.norms),
    script:
        "../scripts/pooling.py"

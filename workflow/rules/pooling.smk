"""One vector a slide.

Needs   {results}/features/{features}/{slide}.h5
Makes   {results}/pooled/{features}/{slide}.h5, a vector for each norm that a method asks for
"""


rule pooling:
    input:
        f"{RESULTS}/features/{{features}}/{{slide}}.h5",
    output:
        f"{RESULTS}/pooled/{{features}}/{{slide}}.h5",
    log:
        f"{RESULTS}/logs/pooling/{{features}}/{{slide}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pooling/{{features}}/{{slide}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(15, rate=POOLED),
    params:
        norms=norms,
        code=code("pooling.py"),
        versions=versions("h5py"),
    script:
        "../scripts/pooling.py"

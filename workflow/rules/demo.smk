"""The demo study's slides: synthetic, drawn by slidecaf.demo.

Needs   nothing
Makes   demo/slides/{slide}.tiff and, for GBM, demo/masks/{slide}-necrosis.png and -hemorrhage.png
"""


rule demo:
    output:
        sorted(MADE),
    log:
        f"{RESULTS}/logs/demo.log",
    benchmark:
        f"{RESULTS}/benchmarks/demo.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        seed=0,
        code=code("demo.py"),
    script:
        "../scripts/demo.py"

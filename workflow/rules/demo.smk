"""The demo study's slides: synthetic, drawn by slidecaf.demo.

Needs   nothing
Makes   demo/slides/{slide}.tiff and, for GBM, demo/masks/{slide}-necrosis.png and -hemorrhage.png
"""


rule demo:
    output:
        sorted(MADE),
    log:
        LAYOUT.log("demo", ""),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        tracked=tracked("demo", seed=0),
    script:
        "../scripts/demo.py"

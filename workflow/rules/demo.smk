"""What the demo studies are of: synthetic slides and images, drawn by slidecaf.demo.

Needs   nothing
Makes   demo/slides/{slide}.tiff and, for GBM, demo/masks/{slide}-necrosis.png and -hemorrhage.png, of the demo study
        drawn/images/{image}.png and, for necrosis, drawn/masks/{image}.png, of the demo collection
"""


rule demo:
    output:
        demo.slide_paths(),
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


rule demo_collection:
    output:
        demo.image_paths(),
    log:
        LAYOUT.log("demo_collection", ""),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        tracked=tracked("demo_collection", seed=0),
    script:
        "../scripts/demo_collection.py"

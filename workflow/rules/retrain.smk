"""Hard examples: patches in regions that maps of the models that leave a slide out miss or falsely find.

Needs   {results}/segmentation/{method}/plain/maps/{slide}.h5, labels
Makes   {results}/segmentation/{method}/hard/{part}/hard_examples.tsv, for each part from its own inner maps
        {results}/segmentation/{method}/hard_examples.tsv, those of the last model, from all left-out maps
        {results}/segmentation/{method}/hard_examples.json, how many were found and drawn
"""


rule hard_examples:
    input:
        folds=f"{SEGMENTATION}/folds.tsv",
        tiles=of_slides("tiles", LEARNED),
        labels=of_slides("labels", LEARNED),
        maps=[f"{SEGMENTATION}/plain/maps/{slide}.h5" for slide in LEARNED],
    output:
        parts=[f"{SEGMENTATION}/hard/{part}/hard_examples.tsv" for part in LEFT_OUT],
        final=f"{SEGMENTATION}/hard_examples.tsv",
        summary=f"{SEGMENTATION}/hard_examples.json",
    log:
        f"{RESULTS}/logs/hard_examples/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/hard_examples/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=50),
        runtime=minutes(120, a_slide=1),
    params:
        settings=settings("C", "training_stride"),
        hard=hard_settings,
        seed=STUDY["seed"],
        code=code("hard_examples.py"),
        versions=versions("h5py"),
    script:
        "../scripts/hard_examples.py"

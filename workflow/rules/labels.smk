"""What masks say of cells and patches.

Needs   {results}/tiles/{features}/{slide}.h5, the slide's masks, by their digests
Makes   {results}/labels/{features}/{slide}.h5
"""


rule labels:
    input:
        tiles=f"{RESULTS}/tiles/{{features}}/{{slide}}.h5",
        masks=ancient(drawn_masks),
    output:
        f"{RESULTS}/labels/{{features}}/{{slide}}.h5",
    log:
        f"{RESULTS}/logs/labels/{{features}}/{{slide}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/labels/{{features}}/{{slide}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500, a_patch=BYTES_A_PATCH, a_pixel=2),
        runtime=minutes(30, rate=MAPPED),
    params:
        masks=masks,
        digests=mask_digests,
        mask_value=lambda wildcards: SEGMENTATION_TASK["mask_value"],
        limits=untracked(LIMITS),
        code=code("labels.py"),
        versions=versions("pillow", "tifffile", "imagecodecs", "h5py"),
    script:
        "../scripts/labels.py"

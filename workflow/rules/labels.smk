"""What masks say of cells and patches.

Needs   {results}/tiles/{features}/{slide}.h5, the slide's masks, by their digests
Makes   {results}/labels/{features}/{slide}.h5
"""

for job in slide_jobs("labels", masked()):

    rule:
        name:
            job.name
        input:
            **job.input(
                tiles=f"{RESULTS}/tiles/{{features}}/{{slide}}.h5",
                drawn={"masks": drawn_masks},
            ),
        output:
            **job.output(file=f"{RESULTS}/labels/{{features}}/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/labels/{{features}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/labels/{{features}}/{{slide}}.tsv")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(memory(1500, a_patch=BYTES_A_PATCH, a_pixel=2)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                masks=masks,
                digests=mask_digests,
                mask_value=lambda wildcards: SEGMENTATION_TASK["mask_value"],
                limits=untracked(LIMITS),
                code=code("labels.py"),
                versions=versions("pillow", "tifffile", "imagecodecs", "h5py"),
            ),
        script:
            script_of("labels")

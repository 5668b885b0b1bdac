"""Outlines of predicted necrosis, for QuPath.

Needs   {results}/segmentation/{method}/{variant}/mask/{slide}.tif and confidence/{slide}.tif, tiles
Makes   {results}/segmentation/{method}/{variant}/geojson/{slide}.geojson
"""

for job in slide_jobs("outlines", of_methods(SEGMENTED_ROW)):

    rule:
        name:
            job.name
        input:
            **job.input(
                mask=f"{VARIANT}/mask/{{slide}}.tif",
                confidence=f"{VARIANT}/confidence/{{slide}}.tif",
                tiles=of_slide("tiles"),
            ),
        output:
            **job.output(file=f"{VARIANT}/geojson/{{slide}}.geojson"),
        log:
            job.log(f"{RESULTS}/logs/outlines/{{method}}/{{variant}}/{{slide}}.log"),
        benchmark:
            job.benchmark(
                f"{RESULTS}/benchmarks/outlines/{{method}}/{{variant}}/{{slide}}.tsv"
            )
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(memory(1500, a_patch=BYTES_A_PATCH)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                tolerance=lambda wildcards: SEGMENTATION_TASK["outline_tolerance"],
                caveats=segmentation_caveats,
                code=code("outlines.py"),
                versions=versions(
                    "shapely", "scipy", "tifffile", "imagecodecs", "h5py"
                ),
            ),
        script:
            script_of("outlines")

"""Confidence maps by models that never saw the slide, what is chosen on them, and masks.

Needs   {results}/segmentation/{method}/{variant}/{part}/model.h5, features, labels
Makes   {results}/segmentation/{method}/{variant}/maps/{slide}.h5, of a training slide by every model that maps it
        {results}/segmentation/{method}/{variant}/{part}/choice.json, C, threshold and post-processing
        {results}/segmentation/{method}/{variant}/confidence/{slide}.tif, mask/{slide}.tif, overlay/{slide}.jpg
        {results}/segmentation/{method}/{variant}/score/{slide}.json
        {results}/segmentation/{method}/confidences/{slide}.h5, of a test slide whose features are not stored
"""

for job in slide_jobs("maps", of_methods(LEARNED)):

    rule:
        name:
            job.name
        input:
            **job.input(
                folds=f"{SEGMENTATION}/folds.tsv",
                features=of_slide("features"),
                models=[f"{VARIANT}/{part}/model.h5" for part in LEFT_OUT],
            ),
        output:
            **job.output(file=f"{VARIANT}/maps/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/maps/{{method}}/{{variant}}/{{slide}}.log"),
        benchmark:
            job.benchmark(
                f"{RESULTS}/benchmarks/maps/{{method}}/{{variant}}/{{slide}}.tsv"
            )
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(memory(1500, a_patch=4 * BYTES_A_PATCH)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                settings=settings("inner_folds"),
                seed=STUDY["seed"],
                code=code("maps.py"),
                versions=versions("h5py", "numpy"),
            ),
        script:
            script_of("maps")


for job in slide_jobs(
    "predict", of_methods(TESTED, per_variant=False, only_fused=True)
):

    rule:
        name:
            job.name
        input:
            **job.input(
                tiles=of_slide("tiles"),
                encoder=encoder_of_method,
                models=final_models,
                drawn={"slide": drawn_slide},
            ),
        output:
            **job.output(file=f"{SEGMENTATION}/confidences/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/predict/{{method}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/predict/{{method}}/{{slide}}.tsv")
        conda:
            ENVIRONMENT
        threads: STUDY["threads"]
        resources:
            **EXTRACTION,
            mem_mb=job.most(slide_memory(6000, a_patch=4 * BYTES_A_PATCH)),
            runtime=job.total(extraction_minutes(30)),
        params:
            **job.params(
                path=slide_path,
                slide=slide_fingerprint,
                mpp=slide_mpp,
                encoder=encoder_settings,
                threads=untracked(STUDY["threads"]),
                on_bad_slide=untracked(STUDY["on_bad_slide"]),
                max_unreadable=untracked(STUDY["max_unreadable"]),
                limits=untracked(LIMITS),
                code=code("predict.py"),
                versions=versions(
                    "torch",
                    "torchvision",
                    "openslide-bin",
                    "tifffile",
                    "pillow",
                    "h5py",
                ),
            ),
        script:
            script_of("predict")


rule map_choice:
    input:
        folds=f"{SEGMENTATION}/folds.tsv",
        maps=maps_of_part,
        labels=labels_of_part,
    output:
        f"{VARIANT}/{{part}}/choice.json",
    log:
        f"{RESULTS}/logs/map_choice/{{method}}/{{variant}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/map_choice/{{method}}/{{variant}}/{{part}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=50),
        runtime=minutes(120, a_slide=1),
    params:
        grid=settings("C", "smooth", "min_object", "max_hole"),
        code=code("map_choice.py"),
        versions=versions("scipy", "h5py"),
    script:
        "../scripts/map_choice.py"


for job in slide_jobs("segment", of_methods(SEGMENTED_ROW)):

    rule:
        name:
            job.name
        input:
            **job.input(
                maps=mapped_from("maps", f"{VARIANT}/maps/{{slide}}.h5"),
                confidences=mapped_from(
                    "confidences", f"{SEGMENTATION}/confidences/{{slide}}.h5"
                ),
                features=mapped_from("features", of_slide("features")),
                model=mapped_from("model", f"{VARIANT}/final/model.h5"),
                tiles=of_slide("tiles"),
                choice=lambda wildcards: f"{VARIANT}/{part_of_slide(wildcards)}/choice.json",
                labels=truth_of_slide,
                drawn={
                    "drawn": lambda wildcards: drawn_slide(wildcards)
                    + drawn_masks(wildcards)
                },
            ),
        output:
            **job.output(
                confidence=f"{VARIANT}/confidence/{{slide}}.tif",
                mask=f"{VARIANT}/mask/{{slide}}.tif",
                overlay=f"{VARIANT}/overlay/{{slide}}.jpg",
                score=f"{VARIANT}/score/{{slide}}.json",
            ),
        log:
            job.log(f"{RESULTS}/logs/segment/{{method}}/{{variant}}/{{slide}}.log"),
        benchmark:
            job.benchmark(
                f"{RESULTS}/benchmarks/segment/{{method}}/{{variant}}/{{slide}}.tsv"
            )
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(slide_memory(1500)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                part=part_of_slide,
                path=slide_path,
                slide=slide_fingerprint,
                mpp=slide_mpp,
                masks=masks,
                mask_value=lambda wildcards: SEGMENTATION_TASK["mask_value"],
                mask_digests=mask_digests,
                caveats=segmentation_caveats,
                code=code("segment.py"),
                versions=versions(
                    "scipy",
                    "h5py",
                    "tifffile",
                    "imagecodecs",
                    "pillow",
                    "openslide-bin",
                ),
            ),
        script:
            script_of("segment")

"""Features of each patch of each slide.

Needs   {results}/tiles/{features}/{slide}.h5, the slide, the network's weights
Makes   {results}/encoders/{features}.json, the network looked at once: its dimension and the digest of its weights
        {results}/features/{features}/{slide}.h5
"""


rule encoder:
    output:
        f"{RESULTS}/encoders/{{features}}.json",
    log:
        f"{RESULTS}/logs/encoders/{{features}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encoders/{{features}}.tsv"
    wildcard_constraints:
        features=one_of(COMPUTED),
    conda:
        ENVIRONMENT
    resources:
        **EXTRACTION,
        mem_mb=memory(6000),
        runtime=minutes(30),
    params:
        encoder=lambda wildcards: encoder(wildcards)["encoder"],
        precision=lambda wildcards: encoder(wildcards)["precision"],
        weights=weights_fingerprint,
        dense=dense_tiling,
        code=code("encoder.py"),
        versions=versions("torch", "torchvision"),
    script:
        "../scripts/encoder.py"


for job in slide_jobs("features", of_feature_sets(COMPUTED, fused_too=False)):

    rule:
        name:
            job.name
        input:
            **job.input(
                tiles=f"{RESULTS}/tiles/{{features}}/{{slide}}.h5",
                encoder=f"{RESULTS}/encoders/{{features}}.json",
                drawn={"slide": drawn_slide},
            ),
        output:
            **job.output(file=f"{RESULTS}/features/{{features}}/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/features/{{features}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/features/{{features}}/{{slide}}.tsv")
        wildcard_constraints:
            features=one_of(COMPUTED),
        conda:
            ENVIRONMENT
        threads: STUDY["threads"]
        resources:
            **EXTRACTION,
            mem_mb=job.most(slide_memory(6000)),
            runtime=job.total(extraction_minutes(30)),
        params:
            **job.params(
                path=slide_path,
                slide=slide_fingerprint,
                mpp=slide_mpp,
                encoder=encoder,
                threads=untracked(STUDY["threads"]),
                on_bad_slide=untracked(STUDY["on_bad_slide"]),
                max_unreadable=untracked(STUDY["max_unreadable"]),
                limits=untracked(LIMITS),
                code=code("features.py"),
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
            script_of("features")

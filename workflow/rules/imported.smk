"""Features that another program computed (TRIDENT, CLAM).

Needs   its file of each slide, by its digest, and the slide
Makes   {results}/tiles/{features}/{slide}.h5 and {results}/features/{features}/{slide}.h5
"""

for job in slide_jobs("imported", of_feature_sets(IMPORTED)):

    rule:
        name:
            job.name
        input:
            **job.input(drawn={"drawn": drawn_slide}),
        output:
            **job.output(
                tiles=f"{RESULTS}/tiles/{{features}}/{{slide}}.h5",
                features=f"{RESULTS}/features/{{features}}/{{slide}}.h5",
            ),
        log:
            job.log(f"{RESULTS}/logs/imported/{{features}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/imported/{{features}}/{{slide}}.tsv")
        wildcard_constraints:
            features=one_of(IMPORTED),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(memory(2000, a_patch=BYTES_A_PATCH)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                source=lambda wildcards, output: imported_source(wildcards),
                first=first_source,
                digest=imported_digest,
                settings=imported_settings,
                path=slide_path,
                slide=slide_fingerprint,
                mpp=slide_mpp,
                on_bad_slide=untracked(STUDY["on_bad_slide"]),
                limits=untracked(LIMITS),
                code=code("imported.py"),
                versions=versions("openslide-bin", "tifffile", "pillow", "h5py"),
            ),
        script:
            script_of("imported")

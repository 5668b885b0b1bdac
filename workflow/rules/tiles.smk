"""Where the patches of each slide are.

Needs   a slide, by its fingerprint
Makes   {results}/tiles/{features}/{slide}.h5
"""

for job in slide_jobs("tiles", of_feature_sets(COMPUTED)):

    rule:
        name:
            job.name
        input:
            **job.input(drawn={"drawn": drawn_slide}),
        output:
            **job.output(file=f"{RESULTS}/tiles/{{features}}/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/tiles/{{features}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/tiles/{{features}}/{{slide}}.tsv")
        wildcard_constraints:
            features=one_of(COMPUTED),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(slide_memory(1500)),
            runtime=job.total(minutes(30, rate=MAPPED)),
        params:
            **job.params(
                path=slide_path,
                slide=slide_fingerprint,
                mpp=slide_mpp,
                tiling=tiling,
                on_bad_slide=untracked(STUDY["on_bad_slide"]),
                limits=untracked(LIMITS),
                code=code("tiles.py"),
                versions=versions("openslide-bin", "tifffile", "pillow", "h5py"),
            ),
        script:
            script_of("tiles")

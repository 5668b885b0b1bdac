"""One vector a slide.

Needs   {results}/features/{features}/{slide}.h5
Makes   {results}/pooled/{features}/{slide}.h5, a vector for each norm that a method asks for
"""

for job in slide_jobs("pooling", of_feature_sets(segmentation=False)):

    rule:
        name:
            job.name
        input:
            **job.input(file=f"{RESULTS}/features/{{features}}/{{slide}}.h5"),
        output:
            **job.output(file=f"{RESULTS}/pooled/{{features}}/{{slide}}.h5"),
        log:
            job.log(f"{RESULTS}/logs/pooling/{{features}}/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/pooling/{{features}}/{{slide}}.tsv")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(memory(1500)),
            runtime=job.total(minutes(15, rate=POOLED)),
        params:
            **job.params(
                norms=norms,
                code=code("pooling.py"),
                versions=versions("h5py"),
            ),
        script:
            script_of("pooling")

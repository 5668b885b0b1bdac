"""The study as it is run.

Needs   nothing
Makes   {results}/study.yaml, the config with its defaults filled in
"""


rule study:
    output:
        STUDY_FILE,
    log:
        f"{RESULTS}/logs/study.log",
    benchmark:
        f"{RESULTS}/benchmarks/study.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        study=STUDY,
        code=code("study.py"),
        versions=versions("slidecaf"),
    script:
        "../scripts/study.py"

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
    params:
        study=STUDY,
        code=code("study.py"),
        versions=versions("slidecaf"),
    script:
        "../scripts/study.py"

"""Folds, and for each of them the candidate and the features chosen on its training rows alone.

Needs   {results}/pooled/{features}/{slide}.h5 of all training slides and candidates
Makes   {results}/classification/{method}/folds.tsv
        {results}/classification/{method}/{part}/choice.json and selection.tsv; a part is fold-{k} or final
"""


rule folds:
    output:
        f"{CLASSIFICATION}/folds.tsv",
    log:
        f"{RESULTS}/logs/folds/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/folds/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        rows=training_table,
        rows_digest=lambda wildcards: value_digest(
            table(TRAIN, "slide", "label", "patient", "fold")
        ),
        folds=len(FOLDS),
        seed=STUDY["seed"],
        code=code("folds.py"),
        versions=versions("scikit-learn"),
    script:
        "../scripts/folds.py"


rule selection:
    input:
        folds=f"{CLASSIFICATION}/folds.tsv",
        pooled=pooled(TRAIN),
    output:
        choice=f"{CLASSIFICATION}/{{part}}/choice.json",
        selection=f"{CLASSIFICATION}/{{part}}/selection.tsv",
    log:
        f"{RESULTS}/logs/selection/{{method}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/selection/{{method}}/{{part}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=0.5),
        runtime=minutes(60, a_slide=0.1),
    params:
        rows=training_table,
        rows_digest=lambda wildcards: value_digest(
            table(TRAIN, "slide", "label", "patient")
        ),
        classes=lambda wildcards: CLASSES,
        method=lambda wildcards: METHODS[wildcards.method],
        inner_folds=TASK["inner_folds"] if TASK else None,
        on_bad_slide=STUDY["on_bad_slide"],
        seed=STUDY["seed"],
        code=code("selection.py"),
        versions=versions("scikit-learn", "h5py"),
    script:
        "../scripts/selection.py"

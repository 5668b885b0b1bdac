"""The linear SVM of each fold and of all training rows, and what they say of slides they never saw.

Needs   {results}/classification/{method}/{part}/choice.json and selection.tsv, pooled vectors
Makes   {results}/classification/{method}/{part}/model.json
        {results}/classification/{method}/{part}/decisions.tsv: of the fold's held-out rows, or of the test rows
"""


rule svm:
    input:
        folds=f"{CLASSIFICATION}/folds.tsv",
        choice=f"{CLASSIFICATION}/{{part}}/choice.json",
        selection=f"{CLASSIFICATION}/{{part}}/selection.tsv",
        pooled=pooled(TRAIN),
    output:
        f"{CLASSIFICATION}/{{part}}/model.json",
    log:
        f"{RESULTS}/logs/svm/{{method}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/svm/{{method}}/{{part}}.tsv"
    conda:
        ENVIRONMENT
    params:
        rows=training_table,
        rows_digest=lambda wildcards: value_digest(
            table(TRAIN, "slide", "label", "patient")
        ),
        classes=lambda wildcards: CLASSES,
        max_iter=lambda wildcards: METHODS[wildcards.method]["max_iter"],
        code=code("svm.py"),
        versions=versions("scikit-learn", "h5py"),
    script:
        "../scripts/svm.py"


rule decisions:
    input:
        folds=f"{CLASSIFICATION}/folds.tsv",
        model=f"{CLASSIFICATION}/{{part}}/model.json",
        pooled=pooled_of_part,
    output:
        f"{CLASSIFICATION}/{{part}}/decisions.tsv",
    log:
        f"{RESULTS}/logs/decisions/{{method}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/decisions/{{method}}/{{part}}.tsv"
    conda:
        ENVIRONMENT
    params:
        on_bad_slide=STUDY["on_bad_slide"],
        code=code("decisions.py"),
        versions=versions("h5py"),
    script:
        "../scripts/decisions.py"

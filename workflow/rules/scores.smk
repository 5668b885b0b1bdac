"""Predictions beside labels, scores with their intervals, methods compared.

Needs   {results}/classification/{method}/{part}/decisions.tsv
Makes   {results}/classification/{method}/predictions.tsv and scores.json
        {results}/classification/comparison.json, where there are two methods or more
        {results}/segmentation/{method}/scores.tsv and scores.json; comparison.json, plain against hard
"""


rule scores:
    input:
        folds=f"{CLASSIFICATION}/folds.tsv",
        decisions=decisions,
    output:
        predictions=f"{CLASSIFICATION}/predictions.tsv",
        scores=report(
            f"{CLASSIFICATION}/scores.json",
            caption="../report/scores.rst",
            category="Classification",
            labels={"method": "{method}"},
        ),
    log:
        f"{RESULTS}/logs/scores/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scores/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        rows=full_table,
        rows_digest=lambda wildcards: value_digest(
            table(TRAIN + TEST, "slide", "label", "patient", "split")
        ),
        classes=lambda wildcards: CLASSES,
        group_name=lambda wildcards: TASK["group_name"],
        caveats=caveats,
        seed=STUDY["seed"],
        code=code("scores.py"),
        versions=versions("scikit-learn", "scipy"),
    script:
        "../scripts/scores.py"


rule comparison:
    input:
        [f"{RESULTS}/classification/{method}/predictions.tsv" for method in METHODS],
    output:
        COMPARISON,
    log:
        f"{RESULTS}/logs/comparison.log",
    benchmark:
        f"{RESULTS}/benchmarks/comparison.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        code=code("comparison.py"),
        versions=versions("scipy"),
    script:
        "../scripts/comparison.py"


rule segmentation_scores:
    input:
        lambda wildcards: slide_files(wildcards.method, "score", "json"),
    output:
        slides=f"{SEGMENTATION}/scores.tsv",
        scores=report(
            f"{SEGMENTATION}/scores.json",
            caption="../report/segmentation.rst",
            category="Segmentation",
            labels={"method": "{method}"},
        ),
    log:
        f"{RESULTS}/logs/segmentation_scores/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/segmentation_scores/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        rows=segmentation_table,
        rows_digest=lambda wildcards: value_digest(segmentation_table(wildcards, None)),
        group_name=lambda wildcards: SEGMENTATION_TASK["group_name"],
        caveats=segmentation_caveats,
        seed=STUDY["seed"],
        code=code("segmentation_scores.py"),
        versions=versions("scipy"),
    script:
        "../scripts/segmentation_scores.py"


rule variants:
    input:
        slides=f"{SEGMENTATION}/scores.tsv",
        hard=f"{SEGMENTATION}/hard_examples.json",
    output:
        f"{SEGMENTATION}/comparison.json",
    log:
        f"{RESULTS}/logs/variants/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/variants/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        seed=STUDY["seed"],
        code=code("variants.py"),
        versions=versions("scipy"),
    script:
        "../scripts/variants.py"

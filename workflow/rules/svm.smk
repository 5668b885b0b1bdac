"""Linear SVMs of each fold and of all training rows: of slides, and of patches for the segmentation.

Needs   {results}/classification/{method}/{part}/choice.json and selection.tsv, pooled vectors
Makes   {results}/classification/{method}/{part}/model.json
        {results}/classification/{method}/{part}/decisions.tsv: of the fold's held-out rows, or of the test rows
        {results}/segmentation/{method}/folds.tsv, who is left out together
        {results}/segmentation/{method}/{variant}/{part}/model.h5, with the inner models of the part
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
    resources:
        mem_mb=memory(2000, a_slide=0.5),
        runtime=minutes(30, a_slide=0.01),
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
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        on_bad_slide=STUDY["on_bad_slide"],
        code=code("decisions.py"),
        versions=versions("h5py"),
    script:
        "../scripts/decisions.py"


rule left_out:
    output:
        f"{SEGMENTATION}/folds.tsv",
    log:
        f"{RESULTS}/logs/left_out/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/left_out/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        rows=lambda wildcards: [
            {"slide": slide, "patient": SEGMENTED_ROW[slide].patient, "fold": group}
            for slide, group in GROUP.items()
        ],
        code=code("left_out.py"),
    script:
        "../scripts/left_out.py"


rule patch_svm:
    input:
        folds=f"{SEGMENTATION}/folds.tsv",
        features=of_slides("features", LEARNED),
        labels=of_slides("labels", LEARNED),
        hard=hard_lists,
    output:
        [f"{VARIANT}/{part}/model.h5" for part in LEFT_OUT_PARTS],
    log:
        f"{RESULTS}/logs/patch_svm/{{method}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patch_svm/{{method}}/{{variant}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY["threads"]
    resources:
        mem_mb=memory(2000 + 1024 * STUDY["memory"]),
        runtime=minutes(240),
    params:
        settings=settings("training_stride", "inner_folds", "C", "max_iter"),
        hard=hard_settings,
        seed=STUDY["seed"],
        on_bad_slide=STUDY["on_bad_slide"],
        # named with output: no result depends on it
        memory=untracked(STUDY["memory"]),
        code=code("patch_svm.py"),
        versions=versions("numpy", "scipy", "h5py"),
    script:
        "../scripts/patch_svm.py"

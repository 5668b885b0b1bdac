"""Slides to a diagnosis: folds, and for each of them a classifier of its training rows alone; decisions and scores.

Needs   {results}/pooled/{features}/{slide}.h5 of all candidates
Makes   {results}/classification/{method}/folds.tsv
        {results}/classification/{method}/{part}/choice.json, selection.tsv and model.json; a part is fold-{k} or final
        {results}/classification/{method}/{part}/decisions.tsv, of the fold's held-out rows, or of the test rows
        {results}/classification/{method}/predictions.tsv and scores.json
        {results}/classification/comparison.json, where there are two methods or more
"""

TASK = STUDY.get("classification")
METHODS = TASK["methods"] if TASK else {}
ROW = {row.slide: row for row in CHECKED.classification}
TRAIN = sorted(slide for slide, row in ROW.items() if row.split == "train")
TEST = sorted(slide for slide, row in ROW.items() if row.split == "test")
# Folds that the sheet fixes are counted from 0 in the order of their numbers there.
FIXED_FOLDS = {ROW[slide].fold for slide in TRAIN} - {None}
FOLDS = range(len(FIXED_FOLDS) or (TASK["folds"] if TASK else 0))
PARTS = [f"fold-{fold}" for fold in FOLDS] + ["final"]
DECIDED = PARTS if TEST else PARTS[:-1]


def of_method(key):
    """Return a function: a setting of a method."""
    return lambda wildcards: METHODS[wildcards.method][key]


def pooled(slides):
    """Return an input function: the pooled vectors of some slides, for every candidate of a method."""
    return lambda wildcards: [
        manifest
        for features in METHODS[wildcards.method]["features"]
        for manifest in manifests(LAYOUT.pooled, slides, features=features)
    ]


def pooled_of_part(wildcards):
    """Return the pooled vectors of the slides that a part decides on: training slides of a fold, or test slides."""
    return pooled(TEST if wildcards.part == "final" else TRAIN)(wildcards)


def table(slides, *columns):
    """Return some columns of the sheet as rows that a script can be handed."""
    return [{column: getattr(ROW[slide], column) for column in columns} for slide in slides]


def method_caveats(wildcards):
    """Return what has to be said wherever a method's numbers show."""
    used = METHODS[wildcards.method]["features"]
    return caveats_of(STUDY["features"], used, ROW.values(), MADE)


def decisions(wildcards):
    """Return the decisions of all folds and, where there are test rows, of the final model."""
    return expand(LAYOUT.decisions, part=DECIDED, method=wildcards.method)


def classified(wildcards):
    """Return every file of the classification."""
    used = {features for method in METHODS.values() for features in method["features"]}
    files = [
        manifest
        for features in sorted(used)
        for kind in (LAYOUT.tiles, LAYOUT.features, LAYOUT.pooled)
        for manifest in manifests(kind, ROW, features=features)
    ]
    made = (LAYOUT.choice, LAYOUT.selection, LAYOUT.model)
    files += expand(made, part=PARTS, method=METHODS)
    files += expand(LAYOUT.decisions, part=DECIDED, method=METHODS)
    files += expand((LAYOUT.folds, LAYOUT.predictions, LAYOUT.scores), method=METHODS)
    return [*files, *([LAYOUT.comparison] if len(METHODS) > 1 else [])]


rule folds:
    output:
        LAYOUT.folds,
    log:
        LAYOUT.log("folds", "{method}"),
    benchmark:
        LAYOUT.benchmark("folds", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        tracked=tracked(
            ["classification"],
            ["scikit-learn"],
            rows=lambda wildcards: table(TRAIN, "slide", "label", "patient", "fold"),
            folds=len(FOLDS),
            seed=STUDY["seed"],
        ),
    script:
        "../scripts/folds.py"


rule classifier:
    input:
        folds=LAYOUT.folds,
        pooled=pooled(TRAIN),
    output:
        choice=LAYOUT.choice,
        selection=LAYOUT.selection,
        model=LAYOUT.model,
    log:
        LAYOUT.log("classifier", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("classifier", "{method}/{part}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=0.5),
        runtime=minutes(60, a_slide=0.1),
    params:
        tracked=tracked(
            ["classification", "pooling"],
            ["scikit-learn", "h5py"],
            rows=lambda wildcards: table(TRAIN, "slide", "label", "patient"),
            classes=CHECKED.classes,
            grid=lambda wildcards: METHODS[wildcards.method],
            inner_folds=TASK["inner_folds"] if TASK else None,
            on_bad_slide=STUDY["on_bad_slide"],
            seed=STUDY["seed"],
        ),
    script:
        "../scripts/classifier.py"


rule decisions:
    input:
        folds=LAYOUT.folds,
        model=LAYOUT.model,
        pooled=pooled_of_part,
    output:
        LAYOUT.decisions,
    log:
        LAYOUT.log("decisions", "{method}/{part}"),
    benchmark:
        LAYOUT.benchmark("decisions", "{method}/{part}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        tracked=tracked(
            ["classification", "pooling"],
            ["h5py"],
            on_bad_slide=STUDY["on_bad_slide"],
            test=lambda wildcards: TEST if wildcards.part == "final" else [],
        ),
    script:
        "../scripts/decisions.py"


rule scores:
    input:
        folds=LAYOUT.folds,
        decisions=decisions,
    output:
        predictions=LAYOUT.predictions,
        scores=report(
            LAYOUT.scores,
            caption="../report/scores.rst",
            category="Classification",
            labels={"method": "{method}"},
        ),
    log:
        LAYOUT.log("scores", "{method}"),
    benchmark:
        LAYOUT.benchmark("scores", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        tracked=tracked(
            ["scores"],
            ["scikit-learn", "scipy"],
            rows=lambda wildcards: table(TRAIN + TEST, "slide", "label", "patient", "split"),
            classes=CHECKED.classes,
            group_name=TASK["group_name"] if TASK else None,
            caveats=method_caveats,
            seed=STUDY["seed"],
        ),
        untracked=untracked(parts=DECIDED),
    script:
        "../scripts/scores.py"


rule comparison:
    input:
        expand(LAYOUT.predictions, method=METHODS),
    output:
        LAYOUT.comparison,
    log:
        LAYOUT.log("comparison", ""),
    benchmark:
        LAYOUT.benchmark("comparison", "")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15, a_slide=0.01),
    params:
        tracked=tracked(["scores"], ["scipy"], methods=list(METHODS)),
    script:
        "../scripts/comparison.py"

"""The report, and the pictures that are made for it alone. Nothing else needs what is made here.

Needs   scores, predictions, choices, tiles, overlays; slides, by their digests
Makes   {results}/thumbnails/{slide}.jpg, of a batch of slides, so that a report opens no slide
        {results}/classification/{method}/final/figure5.png and .tsv, what the neurons of the final model look for
        {results}/classification/{method}/evidence.png and .tsv, patches that speak for and against some diagnoses
        {results}/segmentation/{method}/{variant}/thresholds.tsv, the score at other thresholds
        {results}/report.html; it holds timings too, so that its bytes differ from run to run
"""

from slidecaf.running.command import command_line, commit_of


rule thumbnails:
    input:
        drawn=ancient(drawn(paths(SLIDE))),
    output:
        LAYOUT.batch(LAYOUT.thumbnail),
    log:
        LAYOUT.log("thumbnails", "batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("thumbnails", "batch-{batch}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=slide_memory(1500, a_patch=0),
        runtime=minutes(15 + STUDY.batch_minutes),
    params:
        tracked=tracked_batch("thumbnails", LAYOUT.thumbnail, SLIDE, own=DIGESTS.slide, longest=480),
        untracked=reading(SLIDE),
    script:
        "../scripts/thumbnails.py"


rule neurons:
    input:
        model=LAYOUT.model.replace("{part}", "final"),
        features=CLASSIFIED.training_features,
        drawn=ancient(drawn(paths(CLASSIFICATION.train))),
    output:
        figure=report(
            LAYOUT.neurons_figure,
            caption="../report/neurons.rst",
            category="Classification",
            labels={"method": "{method}"},
        ),
        table=LAYOUT.neurons_table,
    log:
        LAYOUT.log("neurons", "{method}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30, a_slide=0.1),
    params:
        tracked=tracked("neurons", caveats=CLASSIFIED.caveats),
        # a changed slide or label is seen by the features and the model
        untracked=untracked(
            slides=CLASSIFICATION.by_slide(CLASSIFICATION.train, "path", "scene", "label"),
            limits=LIMITS,
        ),
    script:
        "../scripts/neurons.py"


rule evidence:
    input:
        predictions=LAYOUT.predictions,
        heatmaps=CLASSIFIED.of_all(LAYOUT.heatmap),
        drawn=ancient(drawn(paths(CLASSIFICATION.rows))),
    output:
        figure=report(
            LAYOUT.evidence_figure,
            caption="../report/evidence.rst",
            category="Classification",
            labels={"method": "{method}"},
        ),
        table=LAYOUT.evidence_table,
    log:
        LAYOUT.log("evidence", "{method}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        tracked=tracked("evidence", caveats=CLASSIFIED.caveats, classes=CHECKED.classes),
        # a changed slide is seen by its heat map, a changed label by the predictions
        untracked=untracked(slides=CLASSIFICATION.by_slide(CLASSIFICATION.rows, "path", "scene"), limits=LIMITS),
    script:
        "../scripts/evidence.py"


rule thresholds:
    input:
        groups=LAYOUT.groups,
        maps=SEGMENTED.maps_of("{variant}"),
        labels=SEGMENTED.of_training("labels"),
        choice=LAYOUT.map_choice.replace("{part}", "final"),
    output:
        LAYOUT.thresholds,
    log:
        LAYOUT.log("thresholds", "{method}/{variant}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30, a_slide=1),
    params:
        tracked=tracked("thresholds"),
    script:
        "../scripts/thresholds.py"


rule report:
    input:
        TARGETS.read_by_the_report(),
    output:
        report(LAYOUT.report, caption="../report/report.rst", category="Report"),
    log:
        LAYOUT.log("report", ""),
    benchmark:
        LAYOUT.benchmark("report", "")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=0.1),
        runtime=minutes(15, a_slide=0.02),
    params:
        tracked=tracked("report"),
        # how a run was started changes no result
        untracked=untracked(
            results=LAYOUT.results,
            command=command_line(sys.argv[1:], workflow.basedir),
            commit=lambda wildcards: commit_of(workflow.basedir),
        ),
    script:
        "../scripts/report.py"

"""The report, and the pictures that are made for it alone. Nothing else needs what is made here.

Needs   scores, predictions, choices, tiles, overlays; slides, by their fingerprints
Makes   {results}/thumbnails/{slide}.jpg, so that a report opens no slide
        {results}/classification/{method}/final/figure5.png and .tsv, what the neurons of the final model look for
        {results}/segmentation/{method}/{variant}/thresholds.tsv, the score at other thresholds
        {results}/report.html; it holds timings too, so that its bytes differ from run to run
"""

for job in slide_jobs("thumbnail", [({}, SHEET_ORDER)]):

    rule:
        name:
            job.name
        input:
            **job.input(drawn={"drawn": drawn_slide}),
        output:
            **job.output(file=f"{RESULTS}/thumbnails/{{slide}}.jpg"),
        log:
            job.log(f"{RESULTS}/logs/thumbnails/{{slide}}.log"),
        benchmark:
            job.benchmark(f"{RESULTS}/benchmarks/thumbnails/{{slide}}.tsv")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=job.most(slide_memory(1500, a_patch=0)),
            runtime=job.total(minutes(15)),
        params:
            **job.params(
                path=slide_path,
                slide=slide_fingerprint,
                on_bad_slide=untracked(STUDY["on_bad_slide"]),
                limits=untracked(LIMITS),
                code=code("thumbnail.py"),
                versions=versions("openslide-bin", "tifffile", "pillow"),
            ),
        script:
            script_of("thumbnail")


rule neurons:
    input:
        model=f"{CLASSIFICATION}/final/model.json",
        features=lambda wildcards: [
            f"{RESULTS}/features/{features}/{slide}.h5"
            for features in METHODS[wildcards.method]["features"]
            for slide in TRAIN
        ],
        slides=ancient([ROW[slide].path for slide in TRAIN if ROW[slide].path in MADE]),
    output:
        figure=report(
            f"{CLASSIFICATION}/final/figure5.png",
            caption="../report/neurons.rst",
            category="Classification",
            labels={"method": "{method}"},
        ),
        table=f"{CLASSIFICATION}/final/figure5.tsv",
    log:
        f"{RESULTS}/logs/neurons/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/neurons/{{method}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30, a_slide=0.1),
    params:
        # named with output: a changed slide or label is seen by the features and the model
        slides=lambda wildcards, output: {
            row["slide"]: row for row in table(TRAIN, "slide", "path", "label")
        },
        limits=untracked(LIMITS),
        caveats=caveats,
        code=code("neurons.py"),
        versions=versions("h5py", "openslide-bin", "tifffile", "pillow"),
    script:
        "../scripts/neurons.py"


rule thresholds:
    input:
        folds=f"{SEGMENTATION}/folds.tsv",
        maps=lambda wildcards: [f"{VARIANT}/maps/{slide}.h5" for slide in LEARNED],
        labels=of_slides("labels", LEARNED),
        choice=f"{VARIANT}/final/choice.json",
    output:
        f"{VARIANT}/thresholds.tsv",
    log:
        f"{RESULTS}/logs/thresholds/{{method}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/thresholds/{{method}}/{{variant}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30, a_slide=1),
    params:
        code=code("thresholds.py"),
        versions=versions("scipy", "h5py"),
    script:
        "../scripts/thresholds.py"


rule report:
    input:
        read_by_report,
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_slide=0.1),
        runtime=minutes(15, a_slide=0.02),
    params:
        results=untracked(RESULTS),
        # named with output: how a run was started changes no result
        command=untracked(command()),
        commit=commit,
        templates=template_digest(),
        code=code("report.py"),
        versions=versions("matplotlib", "jinja2", "pillow"),
    script:
        "../scripts/report.py"

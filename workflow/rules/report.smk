"""The report, and the pictures that are made for it alone. Nothing else needs what is made here.

Needs   scores, predictions, choices, tiles, overlays; slides, by their digests
Makes   {results}/thumbnails/{slide}.jpg, of a batch of slides, so that a report opens no slide
        {results}/classification/{method}/final/figure5.png and .tsv, what the neurons of the final model look for
        {results}/segmentation/{method}/{variant}/thresholds.tsv, the score at other thresholds
        {results}/report.html; it holds timings too, so that its bytes differ from run to run
"""

import shlex
import subprocess


def commit(wildcards):
    """Return which commit of the clone this is, or nothing where there is no git."""
    asked = ["git", "-C", workflow.basedir, "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def command():
    """Return how Snakemake was called, without the places of clone and study. Jobs inherit it."""
    clone, study = os.path.abspath(workflow.basedir), os.getcwd()
    said = ["." if word == clone else word.replace(f"{clone}/", "").replace(study, "STUDY") for word in sys.argv[1:]]
    return os.environ.setdefault("SLIDECAF_COMMAND", shlex.join(["snakemake", *said]))


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
        runtime=minutes(15 + STUDY["slides_per_job"]),
    params:
        tracked=tracked_batch(
            LAYOUT.thumbnail,
            SLIDE,
            ["slides"],
            ["openslide-bin", "tifffile", "pillow"],
            own=slide_digest,
            longest=480,
        ),
        untracked=untracked(paths=paths(SLIDE), limits=LIMITS, on_bad_slide=STUDY["on_bad_slide"]),
    script:
        "../scripts/thumbnails.py"


rule neurons:
    input:
        model=LAYOUT.model.replace("{part}", "final"),
        features=lambda wildcards: [
            manifest
            for features in CLASSIFICATION.methods[wildcards.method]["features"]
            for manifest in RESULTS.manifests(LAYOUT.features, CLASSIFICATION.train, features=features)
        ],
        drawn=ancient([SLIDE[slide].path for slide in CLASSIFICATION.train if SLIDE[slide].path in MADE]),
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
    benchmark:
        LAYOUT.benchmark("neurons", "{method}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30, a_slide=0.1),
    params:
        tracked=tracked(
            ["classification", "features", "slides", "tiles"],
            ["h5py", "openslide-bin", "tifffile", "pillow"],
            caveats=method_caveats,
        ),
        # a changed slide or label is seen by the features and the model
        untracked=untracked(
            slides={row["slide"]: row for row in CLASSIFICATION.table(CLASSIFICATION.train, "slide", "path", "label")},
            limits=LIMITS,
        ),
    script:
        "../scripts/neurons.py"


rule thresholds:
    input:
        groups=LAYOUT.groups,
        maps=maps_of("{variant}"),
        labels=of_training(LAYOUT.labels),
        choice=LAYOUT.map_choice.replace("{part}", "final"),
    output:
        LAYOUT.thresholds,
    log:
        LAYOUT.log("thresholds", "{method}/{variant}"),
    benchmark:
        LAYOUT.benchmark("thresholds", "{method}/{variant}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30, a_slide=1),
    params:
        tracked=tracked(["scores", "segmentation", "segmentation.solver"], ["scipy", "h5py"]),
    script:
        "../scripts/thresholds.py"


rule report:
    input:
        RESULTS.read_by_the_report(),
    output:
        report(
            LAYOUT.report,
            caption="../report/report.rst",
            category="Report",
        ),
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
        tracked=tracked(["report"], ["matplotlib", "jinja2", "pillow"]),
        # how a run was started changes no result
        untracked=untracked(results=LAYOUT.results, command=command(), commit=commit),
    script:
        "../scripts/report.py"

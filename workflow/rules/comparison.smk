"""The methods of a task side by side, as the paper's Table 2 and section 5.4.

Needs   predictions or scores of slides of all methods; all files of theirs, so that every job's time is known
Makes   {results}/{task}/comparison.tsv; it holds times too, so that its bytes differ from run to run
"""


rule methods:
    input:
        behind=lambda wildcards: TARGETS.behind(wildcards.task),
        slides=of_methods("predictions", "slide_scores"),
        scores=of_methods("scores", "segmentation_scores"),
    output:
        LAYOUT.methods,
    log:
        LAYOUT.log("methods", "{task}"),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("methods", methods=noted_methods),
        untracked=untracked(jobs=measured_jobs),
    script:
        "../scripts/methods.py"

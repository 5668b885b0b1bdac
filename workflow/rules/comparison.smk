"""The methods of a task side by side, as the paper's Table 2 and section 5.4.

Needs   predictions or scores of slides of all methods; all files of theirs, so that every job's time is known
Makes   {results}/{task}/comparison.tsv; it holds times too, so that its bytes differ from run to run
"""


rule methods:
    input:
        behind=METHODS.behind,
        slides=METHODS.each(LAYOUT.predictions, LAYOUT.slide_scores),
        scores=METHODS.each(LAYOUT.scores, LAYOUT.segmentation_scores),
    output:
        LAYOUT.methods,
    log:
        LAYOUT.log("methods", "{task}"),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("methods", methods=METHODS.noted),
        untracked=untracked(jobs=METHODS.measured),
    script:
        "../scripts/methods.py"

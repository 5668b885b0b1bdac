"""slidecaf: whole histopathology slides to a diagnosis and a necrosis map.

The study is the working directory: its config.yaml and its sheets. `snakemake -n` shows what would be done.
"""

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/tiles.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/pooling.smk"
include: "workflow/rules/classification.smk"
include: "workflow/rules/segmentation.smk"
include: "workflow/rules/graph_rlm.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        TARGETS.everything(),

"""Set a task's methods side by side: scores, paired differences to the first, and what each took."""

from slidecaf.classification.results import write_methods as write_classified
from slidecaf.files.benchmarks import cost_of
from slidecaf.logs import job
from slidecaf.segmentation.results import write_methods as write_segmented

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
costs = {name: {variant: cost_of(jobs) for variant, jobs in of.items()} for name, of in untracked["jobs"].items()}
with job(snakemake.log[0]):
    files = {key: dict(zip(tracked["methods"], snakemake.input[key], strict=True)) for key in ("slides", "scores")}
    if snakemake.wildcards.task == "segmentation":
        write_segmented(snakemake.output[0], tracked["methods"], **files, costs=costs)
    else:
        write_classified(
            snakemake.output[0],
            tracked["methods"],
            predictions=files["slides"],
            scores=files["scores"],
            costs={name: of[""] for name, of in costs.items()},
        )

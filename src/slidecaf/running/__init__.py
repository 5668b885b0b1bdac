"""A run of a study's workflow: where the workflow is, the study's lock, how far the run is, and what it came to.

`slidecaf.commands.run` puts these together. `progress` takes the events that Snakemake's logger plugin hands it and
shows one line; `summary` lays out scores, warnings and failures at the end. What Snakemake gets wrong stands in
`snakemake_faults`. `jobs` and `demands` say what the workflow's rules hand their jobs, and ask a cluster for.
"""

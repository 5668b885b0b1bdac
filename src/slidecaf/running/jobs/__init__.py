"""What the jobs of the rules take: inputs and params, by task.

`workflow/rules/common.smk` makes one object of each module from the checked study; rules name its methods, which
Snakemake calls with a job's wildcards. `params` says what a job depends on, `slides` which slides it has, and `digests`
what of their files; `learning` says what jobs that learn ask of a cluster, beside `slidecaf.running.demands`.
"""

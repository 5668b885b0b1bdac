"""Look at a feature set's network once, before any slide: can it be had, and what does it give."""

from slidecaf.features.describe import describe_encoder
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    describe_encoder(snakemake.output[0], tracked["encoder"], precision=tracked["precision"], dense=tracked["dense"])

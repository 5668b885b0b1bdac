"""Describe a feature set's network: looked at before any slide, or by features that it gave."""

from slidecaf.features.describe import describe_encoder
from slidecaf.logs import job
from slidecaf.study.config import Encoder

tracked = snakemake.params.tracked
spec = Encoder.model_validate(tracked["encoder"]).plain()
with job(snakemake.log[0]):
    describe_encoder(
        snakemake.output[0],
        spec,
        precision=tracked["precision"],
        dense=tracked["dense"],
        features=next(iter(snakemake.input.features), None),
    )

"""Look at a feature set's network once, before any slide: can it be had, and what does it give."""

from slidecaf.encoders.encoder import load_encoder
from slidecaf.logs import job
from slidecaf.store import write_json

with job(snakemake.log[0]):
    encoder = load_encoder(snakemake.params.encoder)
    described = {"dimension": encoder.dimension, "weights_sha256": encoder.sha256}
    write_json(snakemake.output[0], {**snakemake.params.encoder, **described})

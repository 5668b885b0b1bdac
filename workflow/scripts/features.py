"""Compute the features of a slide's patches."""

import json

from slidecaf import store
from slidecaf.errors import SlideError
from slidecaf.logs import job, logger
from slidecaf.versions import origin, version

wildcards, params = snakemake.wildcards, snakemake.params
with job(snakemake.log[0]):
    coords, tiles = store.read_tiles(snakemake.input.tiles)
    described = store.read_json(snakemake.input.encoder)
    spec = params.encoder["encoder"]
    described_config = {**params.encoder, "encoder": {**spec, "weights": spec["weights"].rpartition("/")[2]}}
    attributes = {
        "encoder": spec["model"],
        "layer": spec["layer"],
        "weights_sha256": described["weights_sha256"],
        "extraction": params.encoder["extraction"],
        "precision": described["precision"],
        "slidecaf_version": version(),
        "config": json.dumps(described_config, sort_keys=True),
        "status": tiles["status"],
    }

    def write(coords, attributes, fill=None):
        """Write the features file, its rows by `fill`."""
        with store.write_features(
            snakemake.output[0],
            coords,
            described["dimension"],
            coords_attributes={**tiles, "status": attributes["status"]},
            attributes=attributes,
            origin=origin(params.code, described["weights_sha256"]),
        ) as writer:
            if fill:
                fill(writer)

    def extract(writer):
        """Run the network over all patches."""
        from slidecaf.extraction.slide import extract
        from slidecaf.slides import Limits

        extract(
            params.path,
            coords,
            tiles,
            writer,
            name=wildcards.slide,
            mpp=params.mpp,
            settings=params.encoder,
            precision=described["precision"],
            threads=params.threads,
            max_unreadable=params.max_unreadable,
            limits=Limits.from_config(params.limits),
        )

    try:
        write(coords, attributes, extract if len(coords) else None)
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
        write([], {**attributes, "status": store.STATUS_UNREADABLE})

"""Compute the features of a slide's patches."""

import json

from slidecaf.errors import SlideError
from slidecaf.features.file import write_features
from slidecaf.files.tables import read_json
from slidecaf.files.versions import origin, version
from slidecaf.logs import job, logger
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles

wildcards, params = snakemake.wildcards, snakemake.params
with job(snakemake.log[0]):
    coords, tiles = read_tiles(snakemake.input.tiles)
    described = read_json(snakemake.input.encoder)
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
        with write_features(
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
        from slidecaf.features.extraction.slide import extract
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
        write([], {**attributes, "status": STATUS_UNREADABLE})

"""Compute the features of a slide's patches."""

import json

from slidecaf import store
from slidecaf.errors import SlideError
from slidecaf.logs import job, logger, progress
from slidecaf.versions import version

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
        ) as writer:
            if fill:
                fill(writer)

    def extract(writer):
        """Run the network over all patches."""
        from slidecaf.encoders.encoder import load_encoder
        from slidecaf.extraction import dense, devices, patchwise
        from slidecaf.slides import open_slide

        with devices.device() as device, open_slide(params.path, name=wildcards.slide, mpp=params.mpp) as slide:
            encoder = load_encoder(spec, device=device, precision=params.encoder["precision"])
            with progress(len(coords), wildcards.slide) as advance:
                common = {
                    "patch_size": int(tiles["patch_size"]),
                    "threads": params.threads,
                    "max_unreadable": params.max_unreadable,
                    "advance": advance,
                }
                if params.encoder["extraction"] == "dense":
                    strides = {"stride": int(tiles["stride"]), "stride_level0": float(tiles["stride_level0"])}
                    unreadable = dense.extract(slide, coords, encoder, writer, **common, **strides)
                else:
                    own = {
                        "patch_size_level0": int(tiles["patch_size_level0"]),
                        "batch_size": params.encoder["batch_size"],
                    }
                    unreadable = patchwise.extract(slide, coords, encoder, writer, **common, **own)
        share = writer.nonzero / max(1, (len(coords) - unreadable) * encoder.dimension)
        logger.info("%s: %.1f %% of values are not zero (the paper: 13.3 %%)", wildcards.slide, 100 * share)
        if unreadable:
            logger.warning("%s: %d of %d patches cannot be read", wildcards.slide, unreadable, len(coords))

    try:
        write(coords, attributes, extract if len(coords) else None)
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
        write([], {**attributes, "status": store.STATUS_UNREADABLE})

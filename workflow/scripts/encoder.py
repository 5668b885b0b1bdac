"""Look at a feature set's network once, before any slide: can it be had, and what does it give."""

from slidecaf.features.extraction import devices
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.networks.precision import choose_precision
from slidecaf.files.tables import write_json
from slidecaf.logs import job, logger
from slidecaf.tiles.grid import Tiling

params = snakemake.params
with job(snakemake.log[0]):
    encoder = load_encoder(params.encoder)
    described = {"dimension": encoder.dimension, "weights_sha256": encoder.sha256}
    if params.dense:
        from slidecaf.features.networks.dense import DenseEncoder

        dense, tiling = DenseEncoder(encoder), Tiling.from_config(params.dense)
        dense.check_stride(tiling.patch_size, tiling.stride)
        seen = f"{dense.before} px before and {dense.after} px after"
        logger.info("a place of the map every %d enlarged px, which sees %s", dense.total_stride, seen)
    precision = params.precision
    if precision == "auto":
        with devices.device() as device:
            precision = choose_precision(params.encoder, device=device)
    write_json(snakemake.output[0], {**params.encoder, **described, "precision": precision})

"""A feature set's network, looked at once before any slide: can it be had, and what does it give."""

from slidecaf.features.extraction import devices
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.networks.precision import choose_precision
from slidecaf.files.tables import write_json
from slidecaf.logs import logger
from slidecaf.tiles.tiling import Tiling


def describe_encoder(path, spec, *, precision, dense=None) -> None:
    """Describe an encoder as JSON: what the config says, its dimension, the digest of its weights and its precision.

    Parameters
    ----------
    path : path-like
    spec : mapping
        As for `load_encoder`.
    precision : {"auto", "fp32", "bf16", "fp16"}
        ``auto`` is decided here, by time, for all slides.
    dense : mapping, optional
        The tiling of a dense extraction as in the config, whose stride has to suit the network.

    Raises
    ------
    SlidecafError
        If the network or its weights cannot be had, or the stride does not suit it.
    """
    encoder = load_encoder(spec)
    described = {"dimension": encoder.dimension, "weights_sha256": encoder.sha256}
    if dense:
        from slidecaf.features.networks.dense import DenseEncoder

        network, tiling = DenseEncoder(encoder), Tiling.from_config(dense)
        network.check_stride(tiling.patch_size, tiling.stride)
        seen = f"{network.before} px before and {network.after} px after"
        logger.info("a place of the map every %d enlarged px, which sees %s", network.total_stride, seen)
    if precision == "auto":
        with devices.device() as device:
            precision = choose_precision(spec, device=device)
    write_json(path, {**spec, **described, "precision": precision})

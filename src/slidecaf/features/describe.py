"""What a feature set's network is and gives: looked at before any slide, or read from features that it gave."""

from collections.abc import Mapping

from slidecaf.features.seen import SEEN, seen_by
from slidecaf.files.hdf5 import open_hdf5
from slidecaf.files.manifests import slide_paths
from slidecaf.files.tables import write_json
from slidecaf.logs import logger
from slidecaf.tiles.tiling import Tiling


def describe_encoder(path, spec, *, precision, dense=None, features=None) -> None:
    """Describe an encoder as JSON: what the config says, its dimension, the digest of its weights and its precision.

    Where a job gave features already, what they say of it is written down, and nothing is loaded.

    Parameters
    ----------
    path : path-like
    spec : mapping
        As for `load_encoder`.
    precision : {"auto", "fp32", "bf16", "fp16"}
        ``auto`` is decided here, by time, for all slides.
    dense : mapping, optional
        The tiling of a dense extraction as in the config, whose stride has to suit the network.
    features : path-like, optional
        The manifest of a batch, or of a shard, of features that it gave.

    Raises
    ------
    SlidecafError
        If the network or its weights cannot be had, or the stride does not suit it.
    """
    write_json(path, {**spec, **(_read(features) if features else _look(spec, precision, dense))})


def _read(manifest):
    """Return what the features of a batch say of their encoder."""
    with open_hdf5(next(iter(slide_paths([manifest]).values()))) as file:
        said = file["features"].attrs
        own = {key: str(said[key]) for key in ("weights_sha256", "precision")}
        own |= {key: said[key].tolist() for key in SEEN if key in said}
        features = file["features"]
        if isinstance(features, Mapping):  # a dataset an output
            return {"dimension": {name: one.shape[1] for name, one in features.items()}, **own}
        return {"dimension": features.shape[1], **own}


def _look(spec, precision, dense):
    """Load the network, which takes torch and some seconds."""
    from slidecaf.features.extraction import devices
    from slidecaf.features.networks.dense import DenseEncoder
    from slidecaf.features.networks.encoder import load_encoder
    from slidecaf.features.networks.precision import choose_precision

    encoder = load_encoder(spec)
    if dense:
        network, tiling = DenseEncoder(encoder), Tiling.from_config(dense)
        network.check_stride(tiling.patch_size, tiling.stride)
        seen = f"{network.before} px before and {network.after} px after"
        logger.info("a place of the map every %d enlarged px, which sees %s", network.total_stride, seen)
    if precision == "auto":
        with devices.device() as device:
            precision = choose_precision(spec, device=device)
    own = {"dimension": encoder.dimension, "weights_sha256": encoder.sha256, "precision": precision}
    return {**own, **seen_by(encoder, spec)}

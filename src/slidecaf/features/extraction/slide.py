"""Extraction of one slide by either way, as a config describes it."""

import json
from contextlib import contextmanager
from functools import lru_cache

from slidecaf.features.extraction import dense, devices, patchwise
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.logs import logger, progress
from slidecaf.slides import LIMITS, open_slide


@contextmanager
def encoder_of(settings, precision):
    """Hold the network of a feature set, on a GPU where there is one; it is loaded once for all slides of a job.

    Parameters
    ----------
    settings : mapping
        A feature set of the config.
    precision : {"fp32", "bf16", "fp16"}

    Yields
    ------
    slidecaf.features.networks.encoder.Encoder

    Raises
    ------
    SlidecafError
        If the network cannot be had or run like this.
    """
    with devices.device() as device:
        yield _load(json.dumps(settings["encoder"]), device, precision)


@lru_cache(maxsize=1)
def _load(spec, device, precision):
    return load_encoder(json.loads(spec), device=device, precision=precision)


def extract(
    path, coords, tiles, writer, *, name, mpp, settings, precision, threads, max_unreadable, scene="", limits=LIMITS
):
    """Run the network over all patches of a slide, on a GPU where there is one.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
    tiles : mapping
        Attributes of the tiles file.
    writer : slidecaf.features.file.FeatureWriter or slidecaf.segmentation.maps.ConfidenceWriter
        What becomes of the features.
    name : str
        The slide's, for errors and progress.
    mpp : float or None
        As the sheet has it.
    settings : mapping
        A feature set of the config: ``encoder``, ``extraction`` and ``batch_size``.
    precision : {"fp32", "bf16", "fp16"}
    threads : int
    max_unreadable : float
        The share, 0 to 1, of patches that may be unreadable.
    scene : str, optional
        As the sheet has it.
    limits : slidecaf.slides.Limits, optional

    Raises
    ------
    SlideError
        If the slide, or too much of it, cannot be read.
    SlidecafError
        If features are not numbers, or the network cannot be had or run like this.
    """
    with (
        encoder_of(settings, precision) as encoder,
        open_slide(path, name=name, mpp=mpp, scene=scene, limits=limits) as slide,
        progress(len(coords), name) as advance,
    ):
        common = {
            "patch_size": int(tiles["patch_size"]),
            "threads": threads,
            "max_unreadable": max_unreadable,
            "advance": advance,
        }
        if settings["extraction"] == "dense":
            strides = {"stride": int(tiles["stride"]), "stride_level0": float(tiles["stride_level0"])}
            unreadable = dense.extract(slide, coords, encoder, writer, **common, **strides)
        else:
            own = {"patch_size_level0": int(tiles["patch_size_level0"]), "batch_size": settings["batch_size"]}
            unreadable = patchwise.extract(slide, coords, encoder, writer, **common, **own)
    share = writer.nonzero / max(1, (len(coords) - unreadable) * encoder.dimension)
    logger.info("%s: %.1f %% of values are not zero (the paper: 13.3 %%)", name, 100 * share)
    if unreadable:
        logger.warning("%s: %d of %d patches cannot be read", name, unreadable, len(coords))

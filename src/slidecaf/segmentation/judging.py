"""Test slides judged as the network gives their features, which are not kept: what the rule ``predict`` does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.features.batch import network_on_demand
from slidecaf.features.outputs import width_of
from slidecaf.features.source import Image, Sources
from slidecaf.files.hdf5 import scratch
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json
from slidecaf.logs import logger
from slidecaf.segmentation.context import SlideContext
from slidecaf.segmentation.maps import ConfidenceWriter, JudgedWriter, judge_rows, write_confidences
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.slides import Limits
from slidecaf.study.config import NetworkFeatures

HELD = 2**29
"""Bytes that the vectors of one slide may take in memory, where models want its context; beyond, they lie on disk."""


def judge_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles,
    encoder,
    models: Mapping,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    max_unreadable: float,
    threads: int,
    target: Mapping | None = None,
) -> None:
    """Let the final models judge the patches of some test slides; confidences of each beside the manifest.

    Parameters
    ----------
    manifest, slides, settings, tiles, encoder, paths, limits, on_bad_slide, max_unreadable, threads, target
        As for `slidecaf.features.batch.extract_slides`.
    models : mapping of str to path-like
        Variant to its model of all training rows.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read, or the network cannot be run like this.
    """
    chosen = NetworkFeatures.model_validate(settings["features"]).plain()
    described, folder = read_json(encoder), Path(manifest).parent
    of_tiles = slide_files([tiles])
    sources = Sources(slides, paths, of_tiles, lambda slide: folder / f"{slide}.h5")
    how = {"threads": threads, "max_unreadable": max_unreadable, "limits": Limits.from_config(limits)}
    how["target"] = target and Image(**target)
    shared = {"encoder": file_of(encoder), "models": [file_of(path) for path in models.values()]}
    final = {variant: read_models(path)[0] for variant, path in models.items()}
    told = read_models(next(iter(models.values())))[1]
    coef, intercept = (
        np.concatenate([getattr(model, key) for model in final.values()]) for key in ("coef", "intercept")
    )
    dimension = width_of(described["dimension"])

    how["models"] = (coef, intercept) if coef.shape[1] == dimension else None

    def judge(source, network):
        """Return what the models say of a slide's patches; in context once the network gave them all.

        Then the slide's vectors come back from a GPU too: mean and deviation are not known before the last patch.
        """
        count = len(source.coords)
        if not count:
            return ConfidenceWriter(count, coef, intercept).values
        if coef.shape[1] == dimension:
            writer = (JudgedWriter if network().judges else ConfidenceWriter)(count, coef, intercept)
            network().extract(source, writer)
            return writer.values
        with scratch(folder, HELD) as room:
            held = Held(room((count, dimension), np.float16))
            network().extract(source, held)
            context = SlideContext(held.features, held.valid)
            return judge_rows(held.features, held.valid, *context.of(coef, intercept))

    with network_on_demand(settings=chosen, precision=described["precision"], after=sources.after, **how) as network:

        def work(slide, files, origin):
            source = sources(slide)
            try:
                values = judge(source, network)
            except SlideError as error:
                if on_bad_slide == "fail":
                    raise
                logger.warning("left out: %s", error)
                values = np.full((len(coef), len(source.coords)), np.nan, np.float32)
            made = {**origin, "weights_sha256": described["weights_sha256"]}
            of_variant = dict(zip(final, np.split(values, len(final)), strict=True))
            write_confidences(files["confidences"], of_variant, C=told, origin=made)

        make_batch(
            manifest,
            slides,
            work,
            outputs=lambda slide: {"confidences": folder / f"{slide}.h5"},
            settings=settings,
            inputs=lambda slide: {"tiles": of_tiles[slide], **shared},
        )


class Held:
    """Takes features as a features file does, and keeps them until the slide is whole: its context comes of all.

    Parameters
    ----------
    features : ndarray or h5py.Dataset of float16, shape (N, D)
        What is filled.

    Attributes
    ----------
    features : ndarray or h5py.Dataset of float16, shape (N, D)
    valid : ndarray of bool, shape (N,)
    written, nonzero : int
        As of `slidecaf.segmentation.maps.ConfidenceWriter`.
    """

    def __init__(self, features):
        self.features, self.valid = features, np.zeros(len(features), bool)
        self.written, self.nonzero = 0, 0

    def append(self, features, valid) -> None:
        """Take the rows after those taken last; as `write`."""
        self.write(self.written, features, valid)

    def write(self, start, features, valid) -> None:
        """Take rows anywhere, each once.

        Parameters
        ----------
        start : int
            The first row.
        features : ndarray of float16, shape (n, D)
        valid : ndarray of bool, shape (n,)
        """
        end = start + len(features)
        self.features[start:end], self.valid[start:end] = features, valid
        self.nonzero += np.count_nonzero(features[valid])
        self.written += len(features)

"""Test slides judged as the network gives their features, which are not kept: what the rule ``predict`` does."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.features.batch import network_on_demand
from slidecaf.features.source import Sources
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json
from slidecaf.logs import logger
from slidecaf.segmentation.maps import ConfidenceWriter, write_confidences
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.slides import Limits
from slidecaf.study.config import NetworkFeatures


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
) -> None:
    """Let the final models judge the patches of some test slides; confidences of each beside the manifest.

    Parameters
    ----------
    manifest, slides, settings, tiles, encoder, paths, limits, on_bad_slide, max_unreadable, threads
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
    shared = {"encoder": file_of(encoder), "models": [file_of(path) for path in models.values()]}
    final = {variant: read_models(path)[0] for variant, path in models.items()}
    C = read_models(next(iter(models.values())))[1]

    with network_on_demand(settings=chosen, precision=described["precision"], after=sources.after, **how) as network:

        def work(slide, files, origin):
            source = sources(slide)
            writer = ConfidenceWriter(
                len(source.coords),
                np.concatenate([model.coef for model in final.values()]),
                np.concatenate([model.intercept for model in final.values()]),
            )
            try:
                if len(source.coords):
                    network().extract(source, writer)
            except SlideError as error:
                if on_bad_slide == "fail":
                    raise
                logger.warning("left out: %s", error)
                writer.values[:] = np.nan
            values = dict(zip(final, np.split(writer.values, len(final)), strict=True))
            made = {**origin, "weights_sha256": described["weights_sha256"]}
            write_confidences(files["confidences"], values, C=C, origin=made)

        make_batch(
            manifest,
            slides,
            work,
            outputs=lambda slide: {"confidences": folder / f"{slide}.h5"},
            settings=settings,
            inputs=lambda slide: {"tiles": of_tiles[slide], **shared},
        )

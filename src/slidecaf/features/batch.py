"""The features of a batch of slides: what the rule ``features`` does."""

import json
from collections.abc import Mapping
from pathlib import Path

from slidecaf.errors import SlideError
from slidecaf.features.file import write_features
from slidecaf.files.manifests import make_batch, slide_files
from slidecaf.files.tables import read_json
from slidecaf.files.versions import version
from slidecaf.logs import logger
from slidecaf.slides import Limits
from slidecaf.study.config import NetworkFeatures
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles


def extract_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles,
    encoder=None,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    max_unreadable: float,
    threads: int,
) -> None:
    """Compute the features of some slides with one network, and write a features file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``.
    settings : mapping
        ``features``, the feature set's settings that differ from the defaults, ``revision`` and ``versions``.
    tiles : path-like
        The manifest of the batch's tiles.
    encoder : path-like, optional
        What is known of the network, from `slidecaf.features.describe`. Without it the network is looked at here.
    paths : mapping of str to path-like
        Slide to its file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a file without patches.
    max_unreadable : float
        The share, 0 to 1, of a slide's patches that may be unreadable.
    threads : int
        Of the extraction; features do not depend on it.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read, or the network cannot be run like this.
    """
    chosen = NetworkFeatures.model_validate(settings["features"]).plain()
    of_tiles, folder = slide_files([tiles]), Path(manifest).parent
    described = read_json(encoder) if encoder else _look(chosen)

    def work(slide, files, origin):
        coords, attributes = read_tiles(of_tiles[slide].path)

        def write(coords, status, fill=None):
            with write_features(
                files["features"],
                coords,
                described["dimension"],
                coords_attributes={**attributes, "status": status},
                attributes={**_attributes(chosen, described), "status": status},
                origin={**origin, "weights_sha256": described["weights_sha256"]},
            ) as writer:
                if fill:
                    fill(writer)

        def extract(writer):
            from slidecaf.features.extraction.slide import extract  # here: a batch without patches needs no network

            extract(
                paths[slide],
                coords,
                attributes,
                writer,
                name=slide,
                mpp=slides[slide]["mpp"],
                scene=slides[slide]["scene"],
                settings=chosen,
                precision=described["precision"],
                threads=threads,
                max_unreadable=max_unreadable,
                limits=Limits.from_config(limits),
            )

        try:
            write(coords, str(attributes["status"]), extract if len(coords) else None)
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
            write([], STATUS_UNREADABLE)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"features": folder / f"{slide}.h5"},
        settings={**settings, "encoder": described},
        inputs=lambda slide: {"tiles": of_tiles[slide]},
    )


def _look(chosen):
    """Load the network that a feature set names, and return what it is as `slidecaf.features.describe` says it."""
    from slidecaf.features.extraction.slide import encoder_of  # here: torch, which a description spares

    precision = chosen["precision"]
    with encoder_of(chosen, precision) as encoder:
        described = {"dimension": encoder.dimension, "weights_sha256": encoder.sha256}
    return {**chosen["encoder"], **described, "precision": precision}


def _attributes(chosen, described):
    """Return what a features file says of its encoder; weights by their file's name, wherever it lies."""
    spec = chosen["encoder"]
    own = {key: value for key, value in chosen.items() if key not in ("kind", "tiling", "store")}
    config = {**own, "encoder": {**spec, "weights": spec["weights"].rpartition("/")[2]}}
    return {
        "encoder": spec["model"],
        "layer": spec["layer"],
        "weights_sha256": described["weights_sha256"],
        "extraction": chosen["extraction"],
        "precision": described["precision"],
        "slidecaf_version": version(),
        "config": json.dumps(config, sort_keys=True),
    }

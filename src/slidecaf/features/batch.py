"""The features of a batch of slides: what the rule ``features`` does."""

import json
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from slidecaf.errors import SlideError
from slidecaf.features.file import write_features
from slidecaf.features.manual import ENCODER
from slidecaf.features.outputs import outputs_of, width_of
from slidecaf.features.seen import SEEN, seen_by
from slidecaf.features.source import Image, Sources
from slidecaf.files.manifests import make_batch, slide_files
from slidecaf.files.tables import read_json
from slidecaf.files.versions import version
from slidecaf.logs import logger
from slidecaf.slides import Limits
from slidecaf.study.config import WHOLE, ManualFeatures, NetworkFeatures
from slidecaf.study.names import is_timm
from slidecaf.study.status import STATUS_UNREADABLE

TOGETHER = 32
"""Patches that are described together where there is no network."""


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
    target: Mapping | None = None,
) -> None:
    """Compute the features of some slides with one network, and write a features file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``.
    settings : mapping
        ``features``, the feature set's settings that differ from the defaults, ``revision`` and ``versions``; perhaps
        ``weights``, by which the rule sees that their file changed.
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
    target : mapping, optional
        With ``image: stain``, the ``name``, ``path``, ``mpp`` and ``scene`` of what the slides are made to look like;
        its digest stands in `settings`, as ``stain``.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read, or the network cannot be run like this.
    """
    chosen = NetworkFeatures.model_validate(settings["features"]).plain()
    known, precision = described_before(encoder, chosen)
    _make(
        manifest,
        slides,
        # features come of the tensors in use, which are described; other bytes of a weights file make none anew
        {key: value for key, value in settings.items() if key != "weights"},
        tiles=tiles,
        paths=paths,
        on_bad_slide=on_bad_slide,
        describe=lambda network: known or describe_loaded(network().encoder, chosen, precision),
        attributes=lambda described: network_attributes(chosen, described),
        how={
            "settings": chosen,
            "precision": precision,
            "threads": threads,
            "max_unreadable": max_unreadable,
            "limits": Limits.from_config(limits),
            "target": target and Image(**target),
        },
    )


def describe_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    max_unreadable: float,
    threads: int,
    target: Mapping | None = None,
) -> None:
    """Compute the manual features of some slides, and write a features file for each beside the manifest.

    Parameters
    ----------
    manifest, slides, tiles, paths, limits, on_bad_slide, max_unreadable, threads, target
        As for `extract_slides`.
    settings : mapping
        ``features``, the feature set's settings that differ from the defaults, ``revision`` and ``versions``.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read, or the target's stain cannot be fitted.
    """
    from slidecaf.features.manual.descriptor import DIMENSION  # here: torch, which networks load in a way of their own

    chosen = ManualFeatures.model_validate(settings["features"]).plain()
    known = {"dimension": DIMENSION, "weights_sha256": ""}
    own = {key: chosen[key] for key in ("kind", "extraction")} | _steps(chosen)
    said = {"encoder": ENCODER, "layer": "", "weights_sha256": "", "extraction": chosen["extraction"]}
    said |= {"slidecaf_version": version(), "config": json.dumps(own, sort_keys=True)}
    _make(
        manifest,
        slides,
        settings,
        tiles=tiles,
        paths=paths,
        on_bad_slide=on_bad_slide,
        describe=lambda network: known,
        attributes=lambda described: said,
        how={
            "settings": {**chosen, "batch_size": TOGETHER},
            "precision": "fp32",
            "threads": threads,
            "max_unreadable": max_unreadable,
            "limits": Limits.from_config(limits),
            "target": target and Image(**target),
        },
    )


@contextmanager
def network_on_demand(**how):
    """Hold the network of a batch, loaded when it is first asked for: a batch without patches needs none, nor torch.

    Parameters
    ----------
    **how
        As `slidecaf.features.extraction.slide.Extraction` takes it.

    Yields
    ------
    callable
        Without arguments, returns the `Extraction`.
    """
    with ExitStack() as opened:

        @cache
        def network():
            from slidecaf.features.extraction.slide import Extraction

            return opened.enter_context(Extraction(**how))

        yield network


def _make(manifest, slides, settings, *, tiles, paths, on_bad_slide, describe, attributes, how):
    """Make the features files of a batch, whatever computes them."""
    of_tiles, folder = slide_files([tiles]), Path(manifest).parent
    sources = Sources(slides, paths, of_tiles, lambda slide: folder / f"{slide}.h5")

    with network_on_demand(after=sources.after, **how) as network:
        described = describe(network)
        own = attributes(described)

        def work(slide, files, origin):
            source = sources(slide)

            def write(coords, status, fill=None):
                said = {**own, "status": status}
                with write_features(
                    files["features"],
                    coords,
                    width_of(described["dimension"]),
                    coords_attributes={**source.tiles, "status": status},
                    attributes=said,
                    outputs=outputs_of(described),
                    origin={**origin, "weights_sha256": described["weights_sha256"]},
                ) as writer:
                    if fill:
                        fill(writer)
                        said |= network().said_of(slide)

            def extract(writer):
                network().extract(source, writer)

            try:
                write(source.coords, str(source.tiles["status"]), extract if len(source.coords) else None)
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


def described_before(encoder, chosen) -> tuple[dict | None, str]:
    """Return what is known of a network before it is loaded, and the number format in which it runs.

    Parameters
    ----------
    encoder : path-like or None
        From `slidecaf.features.describe`.
    chosen : mapping
        The feature set's settings.

    Returns
    -------
    known : dict or None
    precision : str
    """
    known = read_json(encoder) if encoder else None
    return known, known["precision"] if known else chosen["precision"]


def describe_loaded(loaded, chosen, precision) -> dict:
    """Describe a network that a job has loaded, as `slidecaf.features.describe` would.

    Parameters
    ----------
    loaded : slidecaf.features.networks.encoder.Encoder
    chosen : mapping
        The feature set's settings.
    precision : str

    Returns
    -------
    dict
    """
    own = {"dimension": loaded.dimension, "weights_sha256": loaded.sha256, "precision": precision}
    return {**chosen["encoder"], **own, **seen_by(loaded, chosen["encoder"])}


def _steps(chosen):
    """Return what is done to pixels first, as ``image``; files by their name, and nothing where nothing is done."""
    steps = {key: value for key, value in chosen.get("image", {}).items() if key in ("stain", "hair_removal")}
    if "stain" in steps:
        steps["stain"] = {**steps["stain"], "target": steps["stain"]["target"].rpartition("/")[2]}
    return {"image": steps} if steps else {}


def network_attributes(chosen, described) -> dict:
    """Return what a features file says of its encoder; files by their name, wherever they lie.

    Parameters
    ----------
    chosen : mapping
        The feature set's settings.
    described : mapping
        From `describe_loaded` or `slidecaf.features.describe`.

    Returns
    -------
    dict
    """
    spec = chosen["encoder"]
    whole = chosen["tiling"] == WHOLE
    apart = {"kind", "store", "shards"} | (set() if whole else {"tiling", "image"})
    own = {key: value for key, value in chosen.items() if key not in apart}
    if steps := _steps(chosen):
        own["image"] = {**own.get("image", {}), **steps["image"]}
    config = {**own, "encoder": {**spec, "weights": spec["weights"].rpartition("/")[2]}}
    return {
        "encoder": spec["model"],
        **({} if "outputs" in spec else {"layer": spec["layer"]}),
        "weights_sha256": described["weights_sha256"],
        "extraction": chosen["extraction"],
        "precision": described["precision"],
        **({key: described[key] for key in SEEN} if is_timm(spec["model"]) else {}),
        "slidecaf_version": version(),
        "config": json.dumps(config, sort_keys=True),
    }

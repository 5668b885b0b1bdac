"""Tiles and features of a batch of slides from another program's files: what the rules ``imported_...`` do."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.exchange.reading import check_length, encoder_name, read_features, read_patches, tiles_attributes
from slidecaf.features.file import write_features
from slidecaf.files.manifests import make_batch, slide_files
from slidecaf.files.versions import version
from slidecaf.logs import logger
from slidecaf.slides import Limits, open_slide
from slidecaf.study.imported import Source
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles, write_tiles


def import_tiles(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    sources: Mapping,
    first: str,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
) -> None:
    """Take where the patches of some slides are from another program's files; a tiles file for each.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest``, its ``mpp`` and ``scene``, and the digests of its files.
    settings : mapping
        ``imported``: the ``format`` of the files and the name of their ``folder``; ``revision`` and ``versions``.
    sources : mapping of str to sequence of path-like
        Slide to its files, features first.
    first : path-like
        The first file of the feature set, to whose vectors' length the others are held.
    paths : mapping of str to path-like
        Slide to its own file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide or a file that cannot be read is an error, or a slide without patches.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file of one is missing, cannot be read or does not fit its slide.
    """
    folder = Path(manifest).parent

    def work(slide, files, origin):
        status, coords, described = STATUS_UNREADABLE, np.empty((0, 2), np.int64), {}
        try:
            patches, described = _patches(
                slide, sources, first, settings["imported"]["format"], paths[slide], slides[slide], limits
            )
            coords = patches.coords
            status = STATUS_OK if len(coords) else STATUS_NO_TISSUE
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
        logger.info("%s: %s: %d patches", slide, status, len(coords))
        described |= {"name": slide, "savetodir": folder.as_posix(), "save_path": folder.as_posix()}
        described |= {"status": status, "slide_digest": slides[slide]["digest"]}
        write_tiles(files["tiles"], coords, described, origin=origin)

    make_batch(manifest, slides, work, outputs=lambda slide: {"tiles": folder / f"{slide}.h5"}, settings=settings)


def import_features(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles,
    sources: Mapping,
    first: str,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
) -> None:
    """Take the features of some slides from another program's files; a features file for each.

    Parameters
    ----------
    manifest, slides, settings, sources, first, paths, limits, on_bad_slide
        As for `import_tiles`.
    tiles : path-like
        The manifest of the batch's tiles.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file of one cannot be read.
    """
    folder, of_tiles = Path(manifest).parent, slide_files([tiles])

    def work(slide, files, origin):
        coords, attributes = read_tiles(of_tiles[slide].path)
        status, encoder, features = str(attributes["status"]), "", np.empty((0, 0), np.float16)
        if status != STATUS_UNREADABLE:
            try:
                patches, _ = _patches(
                    slide, sources, first, settings["imported"]["format"], paths[slide], slides[slide], limits
                )
                encoder = encoder_name(patches.encoder, settings["imported"]["folder"])
                features = read_features(Source(*map(Path, sources[slide])), patches, name=slide)
            except SlideError as error:
                if on_bad_slide == "fail":
                    raise
                logger.warning("left out: %s", error)
                status, coords, features = STATUS_UNREADABLE, coords[:0], np.empty((0, 0), np.float16)
        logger.info("%s: %s: %d patches of %d values", slide, status, *features.shape)
        described = {
            "encoder": encoder,
            "layer": "",
            "weights_sha256": "",
            "extraction": "imported",
            "slidecaf_version": version(),
            "config": json.dumps({"imported": settings["imported"]["format"]}),
            "status": status,
        }
        with write_features(
            files["features"],
            coords,
            features.shape[1],
            coords_attributes={**attributes, "status": status},
            attributes=described,
            origin=origin,
        ) as writer:
            writer.append(features, np.ones(len(features), bool))

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"features": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {"tiles": of_tiles[slide]},
    )


def _patches(slide, sources, first, kind, path, said, limits):
    """Return a slide's patches, held to the slide and to the length of the first file's vectors, and attributes."""
    source = Source(*map(Path, sources[slide]))
    known = {"mpp": said["mpp"], "scene": said["scene"], "limits": Limits.from_config(limits)}
    with open_slide(path, name=slide, **known) as opened:
        patches = read_patches(source, opened, kind=kind)
        check_length(patches, source, Source(Path(first)), name=slide)
        return patches, tiles_attributes(opened, patches)

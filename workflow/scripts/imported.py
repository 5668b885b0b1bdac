"""Take a slide's patches and features from the files of the program that computed them."""

import json
from pathlib import Path

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.exchange.reading import check_length, encoder_name, read_features, read_patches, tiles_attributes
from slidecaf.features.file import write_features
from slidecaf.files.versions import origin, version
from slidecaf.logs import job, logger
from slidecaf.slides import Limits, open_slide
from slidecaf.study.imported import Source
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import write_tiles

params, output, slide = snakemake.params, snakemake.output, snakemake.wildcards.slide
with job(snakemake.log[0]):
    source, limits = Source(*map(Path, params.source)), Limits.from_config(params.limits)
    status, coords, tiles, encoder = STATUS_UNREADABLE, np.empty((0, 2), np.int64), {}, ""
    features = np.empty((0, 0), np.float16)
    try:
        with open_slide(params.path, name=slide, mpp=params.mpp, limits=limits) as opened:
            patches = read_patches(source, opened, kind=params.settings["format"])
            check_length(patches, source, Source(Path(params.first)), name=slide)
            tiles = tiles_attributes(opened, patches)
            encoder = encoder_name(patches.encoder, params.settings["folder"])
        features, coords = read_features(source, patches, name=slide), patches.coords
        status = STATUS_OK if len(coords) else STATUS_NO_TISSUE
    except SlideError as error:
        if params.on_bad_slide == "fail":
            raise
        logger.warning("left out: %s", error)
    logger.info("%s: %s: %d patches of %d values", slide, status, *features.shape)
    folder = output.tiles.rpartition("/")[0]
    tiles |= {"name": slide, "savetodir": folder, "save_path": folder, "status": status, "slide_digest": params.slide}
    write_tiles(output.tiles, coords, tiles, origin=origin(params.code))
    with write_features(
        output.features,
        coords,
        features.shape[1],
        coords_attributes=tiles,
        attributes={
            "encoder": encoder,
            "layer": "",
            "weights_sha256": "",
            "extraction": "imported",
            "slidecaf_version": version(),
            "config": json.dumps({"imported": params.settings["format"]}),
            "status": status,
        },
        origin=origin(params.code),
    ) as writer:
        writer.append(features, np.ones(len(features), bool))

"""The tiles of a batch of slides: what the rule ``tiles`` does."""

from collections.abc import Mapping
from pathlib import Path

from slidecaf.errors import SlideError
from slidecaf.files.manifests import make_batch
from slidecaf.logs import logger
from slidecaf.slides import Limits, open_slide
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import write_tiles
from slidecaf.tiles.grid import attributes, enlarged, tile
from slidecaf.tiles.region import Region
from slidecaf.tiles.tiling import Tiling


def tile_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    regions: Mapping | None = None,
    threads: int = 1,
) -> None:
    """Find where the patches of some slides are, and write a tiles file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``; of one with a region of interest its
        digest too, ``roi``.
    settings : mapping
        ``tiling`` of the config, ``revision`` and ``versions``.
    paths : mapping of str to path-like
        Slide to its file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a file without patches.
    regions : mapping of str to path-like, optional
        Slide to the file of its region of interest, of those that have one.
    threads : int, optional
        Tiles do not depend on it.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read or tiled, or its region of interest will not do.
    """
    tiling, folder = Tiling.from_config(settings["tiling"]), Path(manifest).parent

    def work(slide, files, origin):
        status, coords, described, tissue, region = STATUS_UNREADABLE, [], {}, None, None
        try:
            with open_slide(
                paths[slide],
                name=slide,
                mpp=slides[slide]["mpp"],
                scene=slides[slide]["scene"],
                limits=Limits.from_config(limits),
            ) as opened:
                own = Region(regions[slide], opened) if regions and slide in regions else None
                patches = tile(opened, tiling, region=own, threads=threads)
                coords, described, tissue = patches.coords, attributes(opened, patches), patches.tissue
                region = patches.region
                if said := enlarged(opened, tiling):
                    logger.warning("%s", said)
            status = STATUS_OK if len(coords) else STATUS_NO_TISSUE
            logger.info("%s: %s: %d patches; %s", slide, status, len(coords), patches.effort)
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
        if status == STATUS_NO_TISSUE:
            logger.warning("%s: no patch is left; its prediction stays empty and counts as wrong", slide)
        described |= {"name": slide, "savetodir": folder.as_posix(), "save_path": folder.as_posix()}
        described |= {"status": status, "slide_digest": slides[slide]["digest"]}
        write_tiles(files["tiles"], coords, described, tissue=tissue, region=region, origin=origin)

    make_batch(manifest, slides, work, outputs=lambda slide: {"tiles": folder / f"{slide}.h5"}, settings=settings)

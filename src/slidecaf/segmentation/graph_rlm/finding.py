"""The regions of a batch of slides, without labels: what the rule ``regions`` does."""

from collections.abc import Mapping
from pathlib import Path

from slidecaf.errors import SlideError
from slidecaf.files.manifests import make_batch
from slidecaf.logs import logger
from slidecaf.segmentation.graph_rlm.file import cell_attributes, write_regions
from slidecaf.segmentation.graph_rlm.slide import find_regions, is_white, read_pixels
from slidecaf.slides import Limits, open_slide
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK, STATUS_UNREADABLE


def find_slide_regions(
    manifest, slides: Mapping[str, Mapping], settings: Mapping, *, paths: Mapping, limits: Mapping, on_bad_slide: str
) -> None:
    """Segment some slides into regions, without labels; a regions file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``.
    settings : mapping
        ``graph``: ``r_min``, ``r_strel``, ``win_size``, ``dist_thr`` and ``comp_thr`` of the config; ``revision`` and
        ``versions``.
    paths : mapping of str to path-like
        Slide to its file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a file without regions.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read or is too large.
    """
    folder = Path(manifest).parent

    def work(slide, files, origin):
        own, status, described, found = slides[slide], STATUS_UNREADABLE, {}, None
        try:
            with open_slide(
                paths[slide], name=slide, mpp=own["mpp"], scene=own["scene"], limits=Limits.from_config(limits)
            ) as opened:
                pixels, described = read_pixels(opened), cell_attributes(opened)
            status = STATUS_NO_TISSUE
            if not is_white(pixels):
                found = find_regions(pixels, **settings["graph"])
                status = STATUS_OK if len(found.circles) else STATUS_NO_TISSUE
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
        if status == STATUS_OK:
            counts = ", ".join(f"{of.max() + 1} regions ({pair})" for pair, of in found.regions.items())
            logger.info("%s: %d circles; %s", slide, len(found.circles), counts)
        elif status == STATUS_NO_TISSUE:
            logger.warning("%s: it is white, or no circle of r_min fits; its prediction stays empty", slide)
        described |= {"name": slide, "status": status, "slide_digest": own["digest"]}
        write_regions(files["regions"], found if status == STATUS_OK else None, described, origin=origin)

    make_batch(manifest, slides, work, outputs=lambda slide: {"regions": folder / f"{slide}.h5"}, settings=settings)
